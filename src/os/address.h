/* A numeric address and a port as people write them: 127.0.0.1:7777, [::1]:7777, localhost:7777
 * (127.0.0.1). Host names are not looked up: a resolver may block and may answer differently
 * tomorrow. A plain value; any thread.
 */
#ifndef SEOM_OS_ADDRESS_H
#define SEOM_OS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 64 /* "[" + the longest IPv6 address + "]:65535", terminated */

struct address {
    char host[48]; /* without brackets */
    uint16_t port; /* 0: the kernel chooses one when listening */
    bool loopback; /* only this machine can reach it */
    struct sockaddr_storage socket;
    socklen_t socket_bytes;
};

/* NULL when fine, else what is wrong with text (static, a clause without a subject); then *out is
 * untouched. */
const char *address_parse(const char *text, struct address *out);
void address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

#endif
