// The far end: the fork server and the workers that it makes.
#pragma once

#include "isolation/box.h"

#include <cstdint>
#include <sys/types.h>

namespace llmopt {

// What a client asks the fork server for; Spawn comes with the file of a box.
struct Order {
  enum Kind : uint32_t { Spawn, Kill } kind;
  uint64_t id;
  uint64_t memory; // limit in bytes; 0: none
};

// Makes workers from orders that come through the socket `control`, until it closes or the process
// `parent` is gone. Workers die with the fork server. Does not return.
[[noreturn]] void serveForks(int control, pid_t parent);

// Answers the requests in a box for ever.
[[noreturn]] void serveRequests(Box &box);

// Makes a crash of this process leave its cause in the box.
void reportCrashesTo(Box &box);

} // namespace llmopt
