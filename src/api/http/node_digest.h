// The header of /healthz that lets `--check-health` tell nodes apart.
#pragma once

#include <string>
#include <string_view>

namespace wh::api {

// Tells nodes apart without telling a stranger their names.
inline constexpr std::string_view kNodeDigestHeader = "Wormhole-Node-Digest";
// The header's value for the node of this name.
std::string node_digest(std::string_view node_id);

}  // namespace wh::api
