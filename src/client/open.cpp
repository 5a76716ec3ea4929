// Opening the session: BITFUSION_SESSION says where (connect.h), cuInit says when.
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "client/connect.h"
#include "client/context.h"
#include "client/device.h"
#include "client/session.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

struct Opening {
    std::mutex lock;
    std::unique_ptr<Session> session;
    // Sessions that are over: other threads may be inside a call of theirs (only tests have more than one).
    std::vector<std::unique_ptr<Session>> ended;
    Connection given;  // by use_link
    bool tried = false;
    CUresult result = CUDA_ERROR_NOT_INITIALIZED;
};

Opening& opening() {
    // Never destroyed: the session's threads and other libraries' exit handlers outlive our statics.
    static Opening* const made = std::make_unique<Opening>().release();
    return *made;
}

std::atomic<Session*> g_session{nullptr};
std::atomic<bool> g_forked{false};

void open_locked(Opening* o) {
    o->tried = true;
    if (const char* where = getenv("BITFUSION_STATS");
        where != nullptr && *where != '\0' && strcmp(where, "0") != 0 && !stats().enabled()) {
        stats().enable(where);
        atexit([] { stats().print(); });
    }
    Connection connection = std::move(o->given);
    if (connection.link == nullptr) {
        auto connected = connect_session(true);
        if (!connected) {
            BF_LOG("client", kError, "%s", connected.error().what.c_str());
            o->result = connected.error().code == ENOENT ? CUDA_ERROR_NO_DEVICE : CUDA_ERROR_SYSTEM_NOT_READY;
            return;
        }
        connection = std::move(*connected);
    }
    o->session = std::make_unique<Session>(std::move(connection));
    Status started = o->session->start();
    if (!started) {
        BF_LOG("client", kError, "%s", started.error().what.c_str());
        o->session.reset();
        o->result = CUDA_ERROR_OUT_OF_MEMORY;
        return;
    }
    g_session.store(o->session.get());
    o->result = attach_devices(o->session.get());
    if (o->result != CUDA_SUCCESS) g_session.store(nullptr);
    static const int watching = pthread_atfork(nullptr, nullptr, [] {
        g_forked.store(true);
        g_usable_session.store(nullptr);
        // The connection is the parent's: it must end with the parent, not with the last of its children.
        if (Session* s = g_session.load(); s != nullptr) s->leave_to_parent();
    });
    (void)watching;
}

}  // namespace

CUresult ensure_session() {
    // A child of fork has no threads of ours and shares the parent's socket: it must not touch either.
    if (g_forked.load()) return CUDA_ERROR_NOT_INITIALIZED;
    Opening& o = opening();
    const std::lock_guard<std::mutex> lock(o.lock);
    if (!o.tried) open_locked(&o);
    return o.result;
}

void use_link(std::unique_ptr<link::Link> link, size_t lanes, OpenLane open_lane, size_t copy_threads) {
    Opening& o = opening();
    const std::lock_guard<std::mutex> lock(o.lock);
    g_usable_session.store(nullptr);
    g_session.store(nullptr);
    if (o.session != nullptr) {
        o.session->end();
        o.ended.push_back(std::move(o.session));
    }
    o.given = {std::move(link), lanes, std::move(open_lane), copy_threads};
    o.tried = false;
    forget_contexts();
}

CUresult cuInit(unsigned int Flags) {
    if (Flags != 0) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = ensure_session();
    if (result != CUDA_SUCCESS) return result;
    if (device_count() == 0) return CUDA_ERROR_NO_DEVICE;
    g_usable_session.store(g_session.load(), std::memory_order_release);
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
