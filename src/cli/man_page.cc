#include "cli/man_page.h"

#include <algorithm>

#include "cli/arguments.h"
#include "cli/help.h"
#include "cli/settings.h"

namespace wh::cli {
namespace {

// Text as roff reads it: a dash that can be copied, no escapes, no request at the start of a line.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else
      out += c;
    line_start = c == '\n';
  }
  return out;
}

// Running text in lines of less than 80 bytes; each word escaped, as it may come to stand at the start of a line.
std::string filled(std::string_view text) {
  std::string out;
  std::string line;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string word = escaped(text.substr(0, end));
    if (!line.empty() && line.size() + 1 + word.size() > 78) {
      out += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + line + "\n";
}

// Paragraphs; an empty line between them becomes a request.
std::string paragraphs(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find("\n\n", at), text.size());
    if (at > 0) out += ".PP\n";
    out += filled(text.substr(at, end - at));
    at = end + 2;
  }
  return out;
}

std::string tagged(const std::string& tag, const std::string& text) { return ".TP\n" + tag + "\n" + text; }

std::string roff_options(const std::vector<OptionRow>& options) {
  std::string out;
  for (const OptionRow& option : options) {
    std::string tag = "\\fB";
    if (!option.letter.empty()) tag += escaped(option.letter) + "\\fR, \\fB";
    tag += escaped(option.name) + "\\fR";
    if (!option.argument.empty()) tag += " \\fI" + escaped(option.argument) + "\\fR";
    std::string text = std::string(option.text) + ".";
    if (!option.environment.empty()) text += " Environment: " + std::string(option.environment) + ".";
    out += tagged(tag, filled(text));
  }
  return out;
}

std::string example_block(std::string_view example) { return ".PP\n.nf\n.RS 4\n" + escaped(example) + "\n.RE\n.fi\n"; }

}  // namespace

std::string man_page(std::string_view date) {
  std::string out = ".\\\" Made by wormhole-cli --man-page.\n.TH WORMHOLE\\-CLI 1 " +
                    (date.empty() ? std::string("\"\"") : std::string(date)) +
                    " \"wormhole " WORMHOLE_VERSION
                    "\" Wormhole\n"
                    ".SH NAME\nwormhole\\-cli \\- asks a Wormhole cluster of queues and keys\n"
                    ".SH SYNOPSIS\n.B wormhole\\-cli\n[\\fIOPTION\\fR...] \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]\n"
                    ".PP\n.B wormhole\\-cli help\n\\fICOMMAND\\fR\n"
                    ".SH DESCRIPTION\n";
  out += paragraphs(
      "wormhole-cli shows and changes a cluster of wormhole-server nodes over their HTTP paths, at any node. What is "
      "asked for "
      "goes to standard output, everything else to standard error.\n\n"
      "The endpoints are tried in their order, until one answers. A write whose answer was lost is sent again with the "
      "same "
      "idempotency key, so that it takes effect once. Only the endpoints that are given are asked; a redirection is "
      "followed with the password only to members of the cluster, and status asks the leader where the node itself "
      "does "
      "not know enough.");
  out += ".SH OPTIONS\nThey stand before or after the command.\n" + roff_options(global_options());
  std::string_view group;
  out += ".SH COMMANDS\n";
  for (const CommandRow& command : commands()) {
    const bool first = command.group != group;
    if (first) out += ".SS " + escaped(command.group) + "\n";
    group = command.group;
    out += std::string(first ? "" : ".PP\n") + ".B " + escaped(usage_of(command).substr(13)) + "\n.RS 4\n";
    std::string line(command.line);
    line[0] = static_cast<char>(line[0] - 'a' + 'A');
    out += filled(line + ".");
    if (!command.more.empty()) out += ".PP\n" + paragraphs(command.more);
    out += roff_options(command.options) + example_block(command.example) + ".RE\n";
  }
  out += ".SH ENVIRONMENT\nThe options above name the variables that stand for them.\n";
  for (const Variable& variable : other_variables())
    out += tagged("\\fB" + std::string(variable.name) + "\\fR", filled(std::string(variable.text) + "."));
  out += ".SH EXIT STATUS\n";
  for (const StatusRow& status : exit_statuses())
    out += tagged("\\fB" + std::to_string(status.status) + "\\fR", filled(std::string(status.text) + "."));
  out += ".PP\n" + filled("lock gives the status of its command, or 75 when the lock was lost.");
  return out + ".SH SEE ALSO\n.BR wormhole\\-server (8),\n.BR wormhole.conf (5)\n";
}

}  // namespace wh::cli
