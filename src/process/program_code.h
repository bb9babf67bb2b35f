// The code of the program and its libraries in this process's memory. Called by Server.
#pragma once

namespace wh::process {

// Unmaps the pages of code, so that those which only the start needed are no longer resident: some 4 MiB of 11 at rest.
// What runs is mapped anew from the page cache as it is reached. Does nothing while a debugger or strace is attached:
// breakpoints are in these pages. A breakpoint or probe that somebody else set before (uprobes) is lost.
void unmap_code();

}  // namespace wh::process
