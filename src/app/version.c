#include "app/version.h"
#include "app/commands.h"
#include "app/output.h"
#include "os/lmdb_store.h"
#include "revision.h"
#include "wire/limits.h"
#include "wire/link.h"
#include <argp.h>

#ifdef __clang__
#    define COMPILER __VERSION__
#else
#    define COMPILER "gcc " __VERSION__
#endif

const char *
version_number(void)
{
    return SEOM_VERSION;
}

const char *
version_revision(void)
{
    return SEOM_REVISION;
}

int
version_command(int argc, char **argv)
{
    static const struct argp argp = {.doc = "Print version, revision, compiler, and which "
                                            "protocols and data formats this binary speaks."};
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    output_progress("seom %s (%s), %s, protocol %d to %d, data format %d", version_number(),
                    version_revision(), COMPILER, PROTOCOL_MIN, PROTOCOL_MAX, LMDB_STORE_FORMAT);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:{s:i, s:i}, s:{s:i, s:i}, s:i}", "version", version_number(),
                  "revision", version_revision(), "compiler", COMPILER, "protocol", "min",
                  PROTOCOL_MIN, "max", PROTOCOL_MAX, "links", "min", LINK_PROTOCOL_MIN, "max",
                  LINK_PROTOCOL_MAX, "data_format", LMDB_STORE_FORMAT);
    return output_result(&object);
}
