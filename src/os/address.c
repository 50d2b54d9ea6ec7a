#include "os/address.h"
#include "base/check.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
port_parse(const char *text, uint16_t *port)
{
    if (text[0] == '\0' || strlen(text) > 5)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!isdigit((unsigned char)*c))
            return false;
    unsigned long value = strtoul(text, NULL, 10);
    if (value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

static void
set_ipv4(struct address *a, struct in_addr ip)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port), .sin_addr = ip};
    memcpy(&a->socket, &in, sizeof in);
    a->socket_bytes = sizeof in;
    a->loopback = ntohl(ip.s_addr) >> 24 == 127;
}

static void
set_ipv6(struct address *a, struct in6_addr ip)
{
    struct sockaddr_in6 in = {
        .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_addr = ip};
    memcpy(&a->socket, &in, sizeof in);
    a->socket_bytes = sizeof in;
    a->loopback = IN6_IS_ADDR_LOOPBACK(&ip);
}

/* Splits at the colon before the port; the host may stand in brackets and must when it has colons
 * itself. */
static const char *
split(const char *text, struct address *a, bool *bracketed)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text)
        return "is not ADDR:PORT";
    *bracketed = text[0] == '[';
    const char *start = text + (*bracketed ? 1 : 0);
    const char *end = colon - (*bracketed ? 1 : 0);
    if (*bracketed && (end < start || *end != ']'))
        return "has a bracket that is not closed before the port";
    size_t bytes = (size_t)(end - start);
    if (bytes == 0 || bytes >= sizeof a->host)
        return "has no numeric address before the port";
    if (!*bracketed && memchr(start, ':', bytes) != NULL)
        return "needs brackets around an IPv6 address, like [::1]:7777";
    if (!port_parse(colon + 1, &a->port))
        return "has no port from 0 to 65535 after the colon";
    memcpy(a->host, start, bytes);
    a->host[bytes] = '\0';
    return NULL;
}

const char *
address_parse(const char *text, struct address *out)
{
    CHECK(text != NULL && out != NULL);
    struct address a = {0};
    bool bracketed = false;
    const char *wrong = split(text, &a, &bracketed);
    if (wrong != NULL)
        return wrong;
    if (!bracketed && strcmp(a.host, "localhost") == 0)
        memcpy(a.host, "127.0.0.1", sizeof "127.0.0.1");

    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (bracketed && inet_pton(AF_INET6, a.host, &ipv6) == 1)
        set_ipv6(&a, ipv6);
    else if (!bracketed && inet_pton(AF_INET, a.host, &ipv4) == 1)
        set_ipv4(&a, ipv4);
    else
        return "has no numeric address before the port";
    *out = a;
    return NULL;
}

void
address_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    CHECK(a->socket_bytes > 0);
    if (a->socket.ss_family == AF_INET6)
        snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", a->host, a->port);
    else
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", a->host, a->port);
}
