// Log listener: hears what a process logs, to keep it elsewhere besides. A process has one at most.
#pragma once

#include <cstddef>

#include "base/log.h"

namespace bitfusion::log {

// Called with each line (without its end) of `most` and worse, also where BITFUSION_LOG leaves it out of
// standard error; by whichever thread logs, so it must not log itself. Null: no longer. Set it while no other
// thread logs.
using Listener = void (*)(const char* text, size_t size);
void listen(Listener listener, Level most);

}  // namespace bitfusion::log
