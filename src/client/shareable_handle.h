// Shareable handles: file descriptors that stand for memory on the server. Any thread.
#pragma once

namespace bitfusion::client {

// Tells the worker of the descriptors of which nobody holds a copy any more, so that it does not keep their
// memory. Called where memory or handles come and go; without open descriptors it costs a lock.
void let_go_of_closed_handles();

}  // namespace bitfusion::client
