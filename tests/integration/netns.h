// Private networks for tests: each host is a network namespace on one switch, so addresses, names, port mappings, slow
// and broken links are real. A host runs servers (`server.netns = host.netns()`), curl and other programs. The
// Network's destructor removes everything; leftovers of a killed test are removed by the next Network of any test, as
// their names contain the pid.
//
//   if (no_namespaces()) return;    // says `skipped: ...` aloud
//   Network network(dir);
//   Host& a = network.host("a", {"10.77.0.1/24"});
//   Server server(dir, "node1", "10.77.0.1");
//   server.netns = a.netns();
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness.h"

namespace wh::testing {

// Whether hosts cannot be made here (not root, no ip command, a kernel without namespaces); then it has printed why.
bool no_namespaces();

class Network;

class Host {
 public:
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  // For Server::netns, and for `ip netns exec`.
  [[nodiscard]] const std::string& netns() const { return netns_; }
  // As given, without the prefix.
  [[nodiscard]] std::string address(size_t which = 0) const;

  // Runs in this host; a command that fails fails the test, but for sh().
  [[nodiscard]] Output sh(const std::string& command, int patience_ms = kPatienceMs) const;
  void run(const std::string& command) const;
  [[nodiscard]] Answer curl(const std::string& arguments) const;

  // Other addresses, with their prefixes, in place of those it has. Connections on the old ones fall silent.
  void set_addresses(std::vector<std::string> addresses);
  // The cable: out, and in again. Addresses stay.
  void unplug() const;
  void plug_in() const;
  // What this host sends and receives, each way; 0 ends the limit. Bursts of 32 KiB pass at once.
  void limit_kbit(unsigned rate) const;
  // Nothing that comes from `other` arrives any more; both ways with cut_from. By its addresses as of now.
  void drop_from(const Host& other) const;
  void cut_from(const Host& other) const;
  // Takes back every drop and cut that was made on this host.
  void mend() const;
  // Connections that others make to this host's TCP port `port` go to port `to_port` of the host at `to`.
  void map_port(uint16_t port, const std::string& to, uint16_t to_port) const;
  // This host's /etc/hosts: localhost and these names. The first time it must come before what is started in the host;
  // later ones are seen by what runs already.
  void set_names(const std::map<std::string, std::string>& addresses);

 private:
  friend class Network;
  Host(Network& network, std::string name, std::string netns);
  void for_each_address(const std::string& arguments) const;

  Network& network_;
  std::string name_;
  std::string netns_;
  std::string port_;        // its interface's other end
  std::string port_netns_;  // and where that is
  std::vector<std::string> addresses_;
};

class Network {
 public:
  explicit Network(const TempDir& dir);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // A host on the switch, its interface called eth0. Addresses like "10.77.0.1/24" or "fd77::1/64".
  Host& host(const std::string& name, std::vector<std::string> addresses);
  // A host that only `router` sees, and whose way out is the router, which puts its own address in place of the host's
  // (masquerading). "192.168.7.1/24" and "192.168.7.2/24", for instance.
  Host& behind(Host& router, const std::string& router_address, const std::string& name, const std::string& address);

 private:
  friend class Host;
  void run(const std::string& command) const;
  Host& make(const std::string& name);

  const TempDir& dir_;
  std::string prefix_;  // of the names of all its namespaces
  std::string switch_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

}  // namespace wh::testing
