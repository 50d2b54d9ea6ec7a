/* The closed list of codes that end or answer something: one table with the texts that players see
 * (and no others do they see), English and Korean. The numbers are those of proto/seom.proto.
 */
#ifndef SEOM_WIRE_CODE_H
#define SEOM_WIRE_CODE_H

#include <stdbool.h>
#include <stdint.h>

/* X(name as in the schema, English, Korean) */
#define CODE_TABLE(X)                                                                            \
    X(FINE, "Done.", "완료되었습니다.")                                                          \
    X(MALFORMED, "The connection sent something unreadable.",                                    \
      "읽을 수 없는 데이터가 전송되었습니다.")                                                   \
    X(TOO_LARGE, "That was too long.", "허용된 길이를 넘었습니다.")                              \
    X(UNKNOWN_MESSAGE, "The server does not know this request.", "서버가 모르는 요청입니다.")    \
    X(TOO_FAST, "Too many messages at once. Please slow down.",                                  \
      "요청이 너무 많습니다. 잠시 천천히 해 주세요.")                                            \
    X(TOO_SLOW, "The connection is too slow.", "연결이 너무 느립니다.")                          \
    X(SILENT, "Nothing was heard from you for too long.",                                        \
      "오랫동안 응답이 없어 연결을 끊었습니다.")                                                 \
    X(PROTOCOL, "Please update your game.", "게임을 업데이트해 주세요.")                         \
    X(BAD_TICKET, "This ticket is not valid here. Please sign in again.",                        \
      "이곳에서 쓸 수 없는 입장권입니다. 다시 접속해 주세요.")                                   \
    X(REPLACED, "You connected from somewhere else.", "다른 곳에서 접속하여 연결을 끊었습니다.") \
    X(SERVER_STOPS, "The server is stopping. Please come back in a moment.",                     \
      "서버가 멈추는 중입니다. 잠시 후 다시 접속해 주세요.")                                     \
    X(FULL, "There is no room at the moment.", "지금은 자리가 없습니다.")                        \
    X(RETRY_AFTER, "Not right now. Please try again in a moment.",                               \
      "지금은 할 수 없습니다. 잠시 후 다시 시도해 주세요.")                                      \
    X(CONFLICT, "Somebody else was quicker.", "다른 사람이 먼저 바꾸었습니다.")                  \
    X(NOT_FOUND, "That is not there any more.", "더 이상 존재하지 않습니다.")                    \
    X(REFUSED, "That is not allowed here.", "여기서는 할 수 없습니다.")                          \
    X(LEFT, "Good-bye.", "안녕히 가세요.")                                                       \
    X(CLOSED, "This is closed for the moment.", "지금은 이용할 수 없습니다.")                    \
    X(UNREADABLE, "Your belongings cannot be read at the moment. We are looking into it.",       \
      "지금은 소지품을 읽을 수 없습니다. 확인하고 있습니다.")                                    \
    X(TOO_FAR, "That is too far away.", "너무 멀리 있습니다.")                                   \
    X(NO_ROOM, "There is no room for it.", "넣을 공간이 없습니다.")

#define CODE_COUNT 21

enum language { LANGUAGE_ENGLISH, LANGUAGE_KOREAN, LANGUAGE_COUNT };

bool code_is_known(uint32_t code);
const char *code_name(
    uint32_t code); /* "TOO_FAST"; static; "?" for a number that is not in the list */
const char *code_text(
    uint32_t code, enum language language); /* static UTF-8; REFUSED's text for an unknown number */

#endif
