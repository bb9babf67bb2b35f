// Whom to ask and how: from the options, then the environment, then the defaults. Called by main.
#pragma once

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/cluster.h"

namespace wh::cli {

// The error is a sentence for the user: an endpoint or a file that is not good.
Result<ClusterSettings> settings_of(const Invocation& invocation, Environment environment);

// The variables that nothing of the table names, with what they mean; for help and man page.
struct Variable {
  std::string_view name;
  std::string_view text;
};
const std::vector<Variable>& other_variables();

}  // namespace wh::cli
