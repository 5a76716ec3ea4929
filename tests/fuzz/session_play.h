// Plays a Conversation with a worker's session over the software GPU, in this thread, from its first message
// to its end. Nothing is left behind: the next conversation finds a driver that was never used.
#pragma once

#include <string>

#include "fuzz/conversation.h"

namespace bitfusion::fuzz {

// Why the session ended.
std::string play(Conversation* conversation);

}  // namespace bitfusion::fuzz
