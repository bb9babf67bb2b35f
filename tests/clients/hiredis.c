// hiredis PORT: the C library at its defaults against the debug port. Prints a line per case, then the totals.
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;
static redisContext *redis;

static void check(const char *name, int holds) {
  if (holds)
    ++passed;
  else
    ++failed;
  printf("%s: hiredis: %s\n", holds ? "passed" : "FAILED", name);
}

// The reply to one command; the caller frees it. Ends the program when the connection is gone.
static redisReply *ask(const char *format, ...) {
  va_list words;
  va_start(words, format);
  redisReply *reply = redisvCommand(redis, format, words);
  va_end(words);
  if (reply == NULL) {
    printf("FAILED: hiredis: %s\n%d passed, %d failed\n", redis->errstr, passed, failed + 1);
    exit(1);
  }
  return reply;
}

static int is_text(const redisReply *reply, int type, const char *text) {
  return reply->type == type && reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0;
}

static int is_number(const redisReply *reply, long long number) {
  return reply->type == REDIS_REPLY_INTEGER && reply->integer == number;
}

static void values(void) {
  redisReply *reply = ask("SET %b %b", "hi:a", (size_t)4, "\0\r\n$", (size_t)4);
  int holds = is_text(reply, REDIS_REPLY_STATUS, "OK");
  freeReplyObject(reply);
  reply = ask("GET hi:a");
  holds = holds && reply->type == REDIS_REPLY_STRING && reply->len == 4 && memcmp(reply->str, "\0\r\n$", 4) == 0;
  freeReplyObject(reply);
  reply = ask("GET hi:none");
  holds = holds && reply->type == REDIS_REPLY_NIL;
  freeReplyObject(reply);
  reply = ask("MGET hi:a hi:none");
  holds = holds && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
          reply->element[1]->type == REDIS_REPLY_NIL;
  freeReplyObject(reply);
  check("values of any bytes, and absent ones", holds);
}

static void errors(void) {
  redisReply *reply = ask("NOSUCH x");
  int holds = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "ERR unknown command", 19) == 0;
  freeReplyObject(reply);
  reply = ask("PING");
  check("errors, after which the connection goes on", holds && is_text(reply, REDIS_REPLY_STATUS, "PONG"));
  freeReplyObject(reply);
}

static void pipeline(void) {
  int holds = 1;
  freeReplyObject(ask("DEL hi:n"));
  for (int i = 0; i < 1000; ++i) redisAppendCommand(redis, "INCR hi:n");
  for (int i = 0; i < 1000; ++i) {
    void *reply = NULL;
    if (redisGetReply(redis, &reply) != REDIS_OK) {
      holds = 0;
      break;
    }
    holds = holds && is_number(reply, i + 1);
    freeReplyObject(reply);
  }
  check("a pipeline of 1000, in order", holds);
}

static void transaction(void) {
  int holds = 1;
  freeReplyObject(ask("MULTI"));
  freeReplyObject(ask("SET hi:t 41"));
  redisReply *reply = ask("INCR hi:t");
  holds = is_text(reply, REDIS_REPLY_STATUS, "QUEUED");
  freeReplyObject(reply);
  reply = ask("EXEC");
  holds = holds && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && is_number(reply->element[1], 42);
  freeReplyObject(reply);
  freeReplyObject(ask("WATCH hi:t"));
  freeReplyObject(ask("SET hi:t 1"));
  freeReplyObject(ask("MULTI"));
  freeReplyObject(ask("SET hi:t 2"));
  reply = ask("EXEC");
  holds = holds && reply->type == REDIS_REPLY_NIL;
  freeReplyObject(reply);
  check("a transaction, and one that a watched key stops", holds);
}

static int same(const redisReply *a, const redisReply *b) {
  if (a->type != b->type || a->integer != b->integer || a->len != b->len || a->elements != b->elements) return 0;
  if (a->len != 0 && memcmp(a->str, b->str, a->len) != 0) return 0;
  for (size_t i = 0; i < a->elements; ++i)
    if (!same(a->element[i], b->element[i])) return 0;
  return 1;
}

// Sends each command of the file to both.
static void compare(const char *file, redisContext *other) {
  FILE *lines = fopen(file, "r");
  char line[1024];
  int holds = lines != NULL && other != NULL && other->err == 0;
  while (holds && fgets(line, sizeof line, lines) != NULL) {
    const char *words[32];
    int count = 0;
    if (line[0] == '#') continue;
    for (char *word = strtok(line, " \n"); word != NULL && count < 32; word = strtok(NULL, " \n"))
      words[count++] = strcmp(word, "''") == 0 ? "" : word;
    redisReply *ours = redisCommandArgv(redis, count, words, NULL);
    redisReply *theirs = redisCommandArgv(other, count, words, NULL);
    if (ours == NULL || theirs == NULL || !same(ours, theirs)) {
      printf("%s: another answer than Redis's\n", words[0]);
      holds = 0;
    }
    freeReplyObject(ours);
    freeReplyObject(theirs);
  }
  if (lines != NULL) fclose(lines);
  check("each form of each command is answered as by redis-server", holds);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: hiredis PORT\n");
    return 2;
  }
  redis = redisConnect("127.0.0.1", atoi(argv[1]));
  if (redis == NULL || redis->err != 0) {
    printf("FAILED: hiredis: no connection\n0 passed, 1 failed\n");
    return 1;
  }
  values();
  errors();
  pipeline();
  transaction();
  if (getenv("REDIS_PORT") != NULL) {
    redisContext *other = redisConnect("127.0.0.1", atoi(getenv("REDIS_PORT")));
    compare("commands.txt", other);
    redisFree(other);
  }
  redisFree(redis);
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
