/* Runs the files of a corpus directory through a fuzz target, in any build: replay DIRECTORY. Fails
 * when there is none. */
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_BYTES_MAX (1 << 20)

static bool
replay_file(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    static uint8_t input[INPUT_BYTES_MAX];
    size_t n = fread(input, 1, sizeof input, file);
    fclose(file);
    LLVMFuzzerTestOneInput(input, n);
    return true;
}

int
main(int argc, char **argv)
{
    DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
    if (directory == NULL) {
        fprintf(stderr, "replay DIRECTORY: no such directory\n");
        return 2;
    }
    unsigned files = 0;
    bool fine = true;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            fine = replay_file(argv[1], entry->d_name) && fine;
            files++;
        }
    }
    closedir(directory);
    printf("%u inputs of %s\n", files, argv[1]);
    return fine && files > 0 ? 0 : 1;
}
