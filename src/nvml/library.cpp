#include "nvml/library.h"

#include <pthread.h>

#include <cerrno>

#include "base/log.h"
#include "client/connect.h"
#include "nvml_hand.gen.h"

namespace bitfusion::nvml {
namespace {

constexpr unsigned kKnownFlags = 7;  // NVML_INIT_FLAG_NO_GPUS, _NO_ATTACH, _FORCE_INIT

void forget_session(Library* l) {
    l->session.reset();
    l->devices = 0;
    for (auto& group : l->snapshots) group.clear();
}

// The connection is the parent's: it must end with the parent, not with the last of its children.
void leave_sessions_to_parents() {
    static const int watching = pthread_atfork([] { library().lock.lock(); }, [] { library().lock.unlock(); },
                                               [] {
                                                   forget_session(&library());
                                                   for (auto& [set, waiting] : library().event_sets)
                                                       waiting.clear();
                                                   library().lock.unlock();
                                               });
    (void)watching;
}

nvmlReturn_t open_session(Library* l) {
    leave_sessions_to_parents();
    std::unique_ptr<link::Link> link = std::move(l->given);
    if (link == nullptr) {
        auto connected = client::connect_session(false);
        if (!connected) {
            BF_LOG("nvml", kError, "%s", connected.error().what.c_str());
            return connected.error().code == ENOENT ? NVML_ERROR_DRIVER_NOT_LOADED : NVML_ERROR_UNKNOWN;
        }
        link = std::move(connected->link);
    }
    l->session = std::make_unique<Session>(std::move(link));
    const nvmlReturn_t result = l->session->call(msg::MonitorOpen{}, [&](const auto& reply) {
        if (reply.devices > kMostDevices)
            return l->session->lose("it names more devices than any server has");
        l->devices = reply.devices;
        return static_cast<nvmlReturn_t>(reply.result);
    });
    if (result != NVML_SUCCESS) forget_session(l);
    return result;
}

}  // namespace

Library& library() {
    // Never destroyed: exit handlers of other libraries still read NVML.
    static Library* const made = std::make_unique<Library>().release();
    return *made;
}

bool initialised() {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    return l.references != 0;
}

nvmlReturn_t ensure_session(Library* l) { return l->session != nullptr ? NVML_SUCCESS : open_session(l); }

void use_link(std::unique_ptr<link::Link> link) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    forget_session(&l);
    l.given = std::move(link);
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags) {
    if ((flags & ~kKnownFlags) != 0) return NVML_ERROR_INVALID_ARGUMENT;
    Library& l = library();
    const std::lock_guard guard(l.lock);
    const nvmlReturn_t result = ensure_session(&l);
    if (result == NVML_SUCCESS) ++l.references;
    return result;
}

nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

// The first version also failed where a GPU could not be used; all GPUs of a lease can.
nvmlReturn_t nvmlInit(void) { return nvmlInitWithFlags(0); }

nvmlReturn_t nvmlShutdown(void) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    if (l.references == 0) return NVML_ERROR_UNINITIALIZED;
    if (--l.references == 0) {
        forget_session(&l);
        end_event_sets(&l);
    }
    return NVML_SUCCESS;
}

}  // namespace bitfusion::nvml
