// Removes secrets from what users of this machine can see of a process: its arguments, which `ps` shows to everybody,
// and its environment, which its own user can read. Called by main, once both were copied and before any thread exists.
#pragma once

namespace wh::config {

// Overwrites in place every value after a secret's name (or a likely misspelling of one) in `argv`, so that
// /proc/PID/cmdline shows kSecretMask. For some milliseconds after the start it can still be read there.
void hide_arguments(int argc, char** argv);

// The same for the values of WORMHOLE_ variables, so that /proc/PID/environ no longer holds them.
void hide_environment(char** environment);

}  // namespace wh::config
