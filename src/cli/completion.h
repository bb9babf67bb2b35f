// Completions for shells, made from the table: commands, options, and the values of those that have few. Pure. Called
// by main; `make install` writes them to their places.
#pragma once

#include <string>

namespace wh::cli {

std::string bash_completion();
std::string zsh_completion();

}  // namespace wh::cli
