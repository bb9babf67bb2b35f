#include "netns.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <unistd.h>
#include <utility>

#include <doctest/doctest.h>

namespace wh::testing {
namespace {

constexpr const char* kNamePrefix = "wormhole-test-";
constexpr const char* kNamespaces = "/run/netns";
constexpr const char* kPerNamespace = "/etc/netns";  // what `ip netns exec` mounts over /etc

std::string without_prefix(const std::string& address) { return address.substr(0, address.find('/')); }
bool is_v6(const std::string& address) { return address.find(':') != std::string::npos; }
const char* iptables_for(const std::string& address) { return is_v6(address) ? "ip6tables -w 10 " : "iptables -w 10 "; }

void remove_namespace(const TempDir& dir, const std::string& name) {
  (void)sh(dir, "ip netns del " + name);
  std::error_code ignored;
  std::filesystem::remove_all(std::string(kPerNamespace) + "/" + name, ignored);
  std::filesystem::remove(kPerNamespace, ignored);  // when it is empty
}

// What test programs made that are no more.
void sweep(const TempDir& dir) {
  std::vector<std::string> left;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(kNamespaces, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kNamePrefix)) continue;
    const pid_t pid = std::atoi(name.c_str() + std::string(kNamePrefix).size());
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) left.push_back(name);
  }
  for (const std::string& name : left) remove_namespace(dir, name);
}

std::string why_not(const TempDir& dir) {
  if (geteuid() != 0) return "only root makes network namespaces";
  for (const char* tool : {"ip", "tc", "iptables"})
    if (sh(dir, std::string("command -v ") + tool).status != 0)
      return std::string(tool) + " is not installed (utils/install-deps test)";
  const std::string name = kNamePrefix + std::to_string(getpid()) + "-probe";
  const Output made = sh(dir, "ip netns add " + name + " && ip -n " + name +
                                  " link add name veth0 type veth peer name veth1 && ip -n " + name +
                                  " link add name switch type bridge && ip netns exec " + name + " iptables -w 10 -nL");
  remove_namespace(dir, name);
  if (made.status == 0) return {};
  return "network namespaces, veth, bridges or iptables do not work here: " + made.err.substr(0, made.err.find('\n'));
}

}  // namespace

bool no_namespaces() {
  static const std::string why = [] {
    const TempDir dir;
    sweep(dir);
    return why_not(dir);
  }();
  if (why.empty()) return false;
  std::cout << "skipped: " << doctest::getContextOptions()->currentTest->m_name << ": " << why << std::endl;
  return true;
}

// --- the network

Network::Network(const TempDir& dir) : dir_(dir) {
  static int count = 0;
  prefix_ = kNamePrefix + std::to_string(getpid()) + "-" + std::to_string(++count) + "-";
  sweep(dir);
  switch_ = prefix_ + "switch";
  run("ip netns add " + switch_);
  run("ip -n " + switch_ + " link add name switch type bridge && ip -n " + switch_ + " link set switch up");
}

Network::~Network() {
  for (const auto& host : hosts_) remove_namespace(dir_, host->netns_);
  remove_namespace(dir_, switch_);
}

void Network::run(const std::string& command) const {
  const Output output = sh(dir_, command);
  REQUIRE_MESSAGE(output.status == 0, command, ": ", output.err, output.out);
}

Host& Network::make(const std::string& name) {
  // The constructor is the network's alone.
  hosts_.emplace_back(new Host(*this, name, prefix_ + name));
  Host& host = *hosts_.back();
  run("ip netns add " + host.netns_ + " && ip -n " + host.netns_ + " link set lo up");
  return host;
}

Host& Network::host(const std::string& name, std::vector<std::string> addresses) {
  Host& host = make(name);
  host.port_ = "port" + std::to_string(hosts_.size());
  host.port_netns_ = switch_;
  run("ip -n " + switch_ + " link add name " + host.port_ + " type veth peer name eth0 netns " + host.netns_ +
      " && ip -n " + switch_ + " link set " + host.port_ + " master switch up");
  host.set_addresses(std::move(addresses));
  return host;
}

Host& Network::behind(Host& router, const std::string& router_address, const std::string& name,
                      const std::string& address) {
  Host& host = make(name);
  host.port_ = "inside" + std::to_string(hosts_.size());
  host.port_netns_ = router.netns_;
  run("ip -n " + router.netns_ + " link add name " + host.port_ + " type veth peer name eth0 netns " + host.netns_ +
      " && ip -n " + router.netns_ + " link set " + host.port_ + " up && ip -n " + router.netns_ + " address add " +
      router_address + " dev " + host.port_ + (is_v6(router_address) ? " nodad" : ""));
  host.set_addresses({address});
  run("ip -n " + host.netns_ + " route add default via " + without_prefix(router_address));
  router.run(std::string("echo 1 >/proc/sys/net/") + (is_v6(address) ? "ipv6/conf/all/forwarding" : "ipv4/ip_forward"));
  router.run(iptables_for(address) + ("-t nat -A POSTROUTING -o eth0 -s " + address) + " -j MASQUERADE");
  return host;
}

// --- a host

Host::Host(Network& network, std::string name, std::string netns)
    : network_(network), name_(std::move(name)), netns_(std::move(netns)) {}

std::string Host::address(size_t which) const { return without_prefix(addresses_.at(which)); }

Output Host::sh(const std::string& command, int patience_ms) const {
  const std::string script = network_.dir_.write(name_ + ".sh", command + "\n");
  return wh::testing::sh(network_.dir_, "exec ip netns exec " + netns_ + " sh " + script, patience_ms);
}

void Host::run(const std::string& command) const {
  const Output output = sh(command);
  REQUIRE_MESSAGE(output.status == 0, name_, ": ", command, ": ", output.err, output.out);
}

Answer Host::curl(const std::string& arguments) const { return wh::testing::curl(network_.dir_, arguments, netns_); }

void Host::set_addresses(std::vector<std::string> addresses) {
  std::string command = "ip -n " + netns_ + " address flush dev eth0 && ip -n " + netns_ + " link set eth0 up";
  for (const std::string& address : addresses)
    command += " && ip -n " + netns_ + " address add " + address + " dev eth0" + (is_v6(address) ? " nodad" : "");
  network_.run(command);
  addresses_ = std::move(addresses);
}

void Host::unplug() const { network_.run("ip -n " + port_netns_ + " link set " + port_ + " down"); }
void Host::plug_in() const { network_.run("ip -n " + port_netns_ + " link set " + port_ + " up"); }

void Host::limit_kbit(unsigned rate) const {
  for (const std::string& where : {netns_ + " qdisc replace dev eth0", port_netns_ + " qdisc replace dev " + port_}) {
    const std::string none = " root noqueue";
    network_.run("tc -n " + where +
                 (rate == 0 ? none : " root tbf rate " + std::to_string(rate) + "kbit burst 32kb latency 500ms"));
  }
}

void Host::drop_from(const Host& other) const {
  for (const std::string& address : other.addresses_)
    run(iptables_for(address) + ("-A INPUT -s " + without_prefix(address)) + " -j DROP");
}

void Host::cut_from(const Host& other) const {
  drop_from(other);
  for (const std::string& address : other.addresses_)
    run(iptables_for(address) + ("-A OUTPUT -d " + without_prefix(address)) + " -j DROP");
}

void Host::mend() const {
  run("iptables -w 10 -F INPUT && iptables -w 10 -F OUTPUT");
  if (std::any_of(addresses_.begin(), addresses_.end(), is_v6))
    run("ip6tables -w 10 -F INPUT && ip6tables -w 10 -F OUTPUT");
}

void Host::map_port(uint16_t port, const std::string& to, uint16_t to_port) const {
  const std::string target = (is_v6(to) ? "[" + to + "]" : to) + ":" + std::to_string(to_port);
  run(iptables_for(to) + ("-t nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport " + std::to_string(port)) +
      " -j DNAT --to-destination " + target);
}

void Host::set_names(const std::map<std::string, std::string>& addresses) {
  const std::filesystem::path directory = std::filesystem::path(kPerNamespace) / netns_;
  std::filesystem::create_directories(directory);
  std::string text = "127.0.0.1 localhost\n::1 localhost\n";
  for (const auto& [name, address] : addresses) text += address + " " + name + "\n";
  // In place: the file is mounted over /etc/hosts, and one that took its name would not be.
  std::ofstream(directory / "hosts") << text;
  std::ofstream(directory / "nsswitch.conf") << "hosts: files\n";
}

}  // namespace wh::testing
