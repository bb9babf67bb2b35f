// Takes secrets out of what this machine's users see of a process: its arguments, which `ps` shows to everybody, and
// its environment, which its own user can read. Called by main, once both were copied and before any thread exists.
#pragma once

namespace wh {

// Overwrites in place every value that stands after a secret's name (or what may be a mistyped one) in `argv`, so that
// /proc/PID/cmdline shows kSecretMask. Until then, some milliseconds from the start, it can be read there.
void hide_arguments(int argc, char** argv);

// The same for the values of WORMHOLE_ variables, in place, so that /proc/PID/environ holds none of them any more.
void hide_environment(char** environment);

}  // namespace wh
