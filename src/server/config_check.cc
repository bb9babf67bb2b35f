#include "server/config_check.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "config/option_checks.h"
#include "net/listener.h"
#include "net/loop.h"
#include "security/certificates.h"
#include "server/identity.h"

namespace wh::server {
namespace {

// The directive `name` can make its file only in a folder that exists.
Status check_folder(std::string_view name, const std::string& file) {
  if (file.empty()) return ok_status();
  std::filesystem::path folder = std::filesystem::path(file).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // "data/"
  folder = folder.parent_path();
  if (folder.empty()) folder = ".";
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return ok_status();
  return Error{"'" + std::string(name) + "' is " + file + ", and " + folder.string() +
               (error || !std::filesystem::exists(folder, error) ? " is not there" : " is no directory")};
}

}  // namespace

Status check_config_files(const config::Options& given) {
  config::Options options = given;
  // The name on the disk, which is not read here, counts at a later start.
  if (options.node_id.empty()) options.node_id = config::default_node_id(machine_name(), options.raft_port);
  net::Loop loop;
  security::Certificates certificates(options, loop);
  if (Status loaded = certificates.load(); !loaded) return loaded;
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.dir, ignored))
    if (Status folder = check_folder("dir", options.dir); !folder) return folder;
  if (Status folder = check_folder("logfile", options.logfile); !folder) return folder;
  if (Status folder = check_folder("pidfile", options.pidfile); !folder) return folder;
  if (!options.bind_interface.empty())
    if (const auto addresses = net::interface_addresses(options.bind_interface); !addresses)
      return Error{"'bind-interface': " + addresses.error()};
  return ok_status();
}

}  // namespace wh::server
