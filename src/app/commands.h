/* The sub-commands of the binary, each in src/app/<name>.c. A command parses its own arguments with
 * argp (argv[0] is already "seom <name>", so that messages name it), runs on the main thread and
 * returns the exit code: 0 fine, 1 failed, 2 wrong usage; `sim` and the benches add their own. The
 * table stands in main.c.
 */
#ifndef SEOM_APP_COMMANDS_H
#define SEOM_APP_COMMANDS_H

int dev_command(int argc, char **argv);
int cluster_up_command(int argc, char **argv);
int cluster_down_command(int argc, char **argv);
int node_add_command(int argc, char **argv);
int node_start_command(int argc, char **argv);
int node_kill_command(int argc, char **argv);
int node_drain_command(int argc, char **argv);
int node_close_command(int argc, char **argv);
int node_open_command(int argc, char **argv);
int node_restart_command(int argc, char **argv);
int roll_command(int argc, char **argv);
int nodes_command(int argc, char **argv);
int spof_command(int argc, char **argv);
int home_command(int argc, char **argv);
int gate_command(int argc, char **argv);
int relay_command(int argc, char **argv);
int bots_command(int argc, char **argv);
int bench_limit_command(int argc, char **argv);
int bench_world_command(int argc, char **argv);
int bench_crowd_command(int argc, char **argv);
int bench_store_command(int argc, char **argv);
int bench_cluster_command(int argc, char **argv);
int bench_kill_command(int argc, char **argv);
int bench_spread_command(int argc, char **argv);
int bench_request_command(int argc, char **argv);
int bench_topics_command(int argc, char **argv);
int sim_command(int argc, char **argv);
int islands_import_command(int argc, char **argv);
int islands_show_command(int argc, char **argv);
int islands_shards_command(int argc, char **argv);
int players_command(int argc, char **argv);
int tree_command(int argc, char **argv);
int decode_command(int argc, char **argv);
int doc_get_command(int argc, char **argv);
int doc_put_command(int argc, char **argv);
int doc_history_command(int argc, char **argv);
int audit_command(int argc, char **argv);
int promote_command(int argc, char **argv);
int ledger_command(int argc, char **argv);
int backup_command(int argc, char **argv);
int restore_command(int argc, char **argv);
int switches_command(int argc, char **argv);
int store_verify_command(int argc, char **argv);
int store_copy_command(int argc, char **argv);
int config_command(int argc, char **argv);
int version_command(int argc, char **argv);

#endif
