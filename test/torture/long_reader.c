/* long_reader STORE.MDB: a tool that reads one snapshot until its input ends. What the server frees
 * meanwhile is not used again, so a small store fills up within seconds. */
#include <lmdb.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    MDB_env *env;
    MDB_txn *txn;
    int code = argc != 2 ? MDB_NOTFOUND : mdb_env_create(&env);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(env, argv[1], MDB_NOSUBDIR | MDB_RDONLY, 0600);
    if (code == MDB_SUCCESS)
        code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    puts(code == MDB_SUCCESS ? "reading" : mdb_strerror(code));
    fflush(stdout);
    if (code != MDB_SUCCESS)
        return 1;
    while (getchar() != EOF)
        continue;
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return 0;
}
