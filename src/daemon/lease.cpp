#include "daemon/lease.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace bitfusion::daemon {
namespace {

constexpr off_t kUsedBytes = 64 * sizeof(uint64_t);  // one number a GPU
constexpr off_t kAccountingBytes = 512 << 10;  // sparse; holds the workers' LeaseMemory (worker/census.h)
constexpr size_t kMostLeases = 4096;
constexpr auto kTermGrace = std::chrono::seconds(2);
constexpr auto kHoldGrace = std::chrono::seconds(10);
// A little longer than ending a lease can take.
constexpr auto kWaitForEndings = std::chrono::milliseconds(3500);

bool equal_in_constant_time(const wire::Ticket& a, const wire::Ticket& b) {
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.size(); ++i) difference = difference | static_cast<uint8_t>(a[i] ^ b[i]);
    return difference == 0;
}

// Outside of coroutines, where g++ 12 moves braced temporaries bit by bit.
tl::unexpected<Leases::Refused> refused(Error error, bool may_fit_later) {
    return tl::unexpected(Leases::Refused{std::move(error), may_fit_later});
}

Error closed_error() { return {"the manager is shutting down; ask again when it runs", 503}; }

tl::unexpected<Leases::Refused> refused(const pool::Refusal& refusal) {
    const int status = refusal.kind == pool::RefusalKind::kMalformed ? 400 : 409;
    return refused(Error{refusal.text, status}, refusal.kind == pool::RefusalKind::kNotNow);
}

Result<Descriptor> make_accounting() {
    Descriptor file(memfd_create("bitfusion-lease", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    // Sealed, so that no worker can shrink it under another worker's mapping.
    if (!file || ftruncate(file.get(), kAccountingBytes) != 0 ||
        fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return fail(std::string("the server cannot make shared memory: ") + strerror(errno) +
                        "; raise its limit of open files (ulimit -n)",
                    503);
    }
    return file;
}

}  // namespace

void fill_random(void* bytes, size_t size) {
    auto* at = static_cast<uint8_t*>(bytes);
    while (size > 0) {
        const ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            BF_LOG("daemon", kError, "getrandom failed with %d; tickets cannot be made", errno);
            abort();
        }
        at += got;
        size -= static_cast<size_t>(got);
    }
}

std::string random_uuid() {
    uint8_t bytes[16];
    fill_random(bytes, sizeof bytes);
    bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string text;
    for (size_t i = 0; i < sizeof bytes; ++i) {
        constexpr char kDigits[] = "0123456789abcdef";
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

uint64_t Lease::used_bytes(size_t index) const {
    uint64_t used = 0;
    const auto at = static_cast<off_t>(index * sizeof used);
    if (at >= kUsedBytes || pread(accounting.get(), &used, sizeof used, at) != sizeof used) return 0;
    return used;
}

Leases::Leases(asio::io_context& io, Children& children, Counters& counters,
               std::chrono::seconds auto_release)
    : io_(io),
      children_(children),
      counters_(counters),
      auto_release_(auto_release),
      changed_(io),
      tick_(io) {
    schedule_tick();
}

Status Leases::set_devices(const std::vector<pool::Device>& devices) {
    pool::State next{devices, state_.holdings};
    for (const pool::Holding& holding : state_.holdings) {
        uint64_t held = 0;
        uint64_t has = 0;
        for (const pool::Holding& other : state_.holdings)
            held += other.ordinal == holding.ordinal ? other.memory_mib : 0;
        for (const pool::Device& device : devices)
            has = device.ordinal == holding.ordinal ? device.memory_mib : has;
        if (has < held) {
            return fail("GPU " + std::to_string(holding.ordinal) +
                        " vanished or shrank while it is leased; end its leases and check the GPU");
        }
    }
    state_ = std::move(next);
    return {};
}

Result<LeasePointer> Leases::make(const pool::Grant& grant, Client client, bool must_hold) {
    if (leases_.size() >= kMostLeases)
        return fail("the server has its most leases, 4096; end some: DELETE /v1/leases/{id}", 503);
    auto accounting = make_accounting();
    if (!accounting) return tl::unexpected(accounting.error());
    auto lease = std::make_shared<Lease>(io_);
    lease->id = random_uuid();
    fill_random(lease->ticket.data(), lease->ticket.size());
    lease->client = std::move(client);
    lease->grant = grant;
    lease->accounting = std::move(*accounting);
    lease->must_hold = must_hold;
    lease->created = std::chrono::system_clock::now();
    lease->unused_since = Clock::now();
    return lease;
}

Task<tl::expected<LeasePointer, Leases::Refused>> Leases::acquire(pool::Request request, Client client,
                                                                  bool must_hold) {
    const auto give_up = Clock::now() + kWaitForEndings;
    asio::steady_timer alarm(io_, give_up);
    // The coroutine's frame may be gone when the timer's handler runs; the bell is not.
    alarm.async_wait([this](const boost::system::error_code& error) {
        if (!error) changed_.ring();
    });
    for (;;) {
        if (closed_) co_return refused(closed_error(), true);
        const pool::Decision decision = pool::place(state_, request);
        if (const auto* grant = std::get_if<pool::Grant>(&decision)) {
            auto lease = make(*grant, std::move(client), must_hold);
            if (!lease) co_return refused(lease.error(), true);
            state_ = pool::with_grant(std::move(state_), (*lease)->id, *grant);
            leases_.emplace((*lease)->id, *lease);
            ++counters_.leases_granted;
            BF_LOG("daemon", kInfo, "lease %s: %zu GPUs, partition %llu MiB, for %s pid %lld on %s (%s)",
                   (*lease)->id.c_str(), grant->parts.size(),
                   static_cast<unsigned long long>(grant->partition_mib), (*lease)->client.user.c_str(),
                   static_cast<long long>((*lease)->client.pid), (*lease)->client.host.c_str(),
                   (*lease)->client.program.c_str());
            co_return *lease;
        }
        const auto& refusal = std::get<pool::Refusal>(decision);
        pool::State settled = state_;
        for (const auto& [id, lease] : leases_) {
            if (lease->ending) settled = pool::without_lease(std::move(settled), id);
        }
        const bool fits_soon = std::holds_alternative<pool::Grant>(pool::place(settled, request));
        if (!fits_soon || Clock::now() >= give_up) {
            ++counters_.leases_refused;
            BF_LOG("daemon", kInfo, "lease refused to pid %lld on %s: %s", static_cast<long long>(client.pid),
                   client.host.c_str(), refusal.text.c_str());
            co_return refused(refusal);
        }
        co_await changed_.wait();
    }
}

LeasePointer Leases::by_id(const std::string& id) const {
    const auto found = leases_.find(id);
    return found == leases_.end() ? nullptr : found->second;
}

LeasePointer Leases::by_ticket(const wire::Ticket& ticket) const {
    LeasePointer match;
    for (const auto& [id, lease] : leases_) {
        if (equal_in_constant_time(lease->ticket, ticket)) match = lease;
    }
    return match && !match->ending ? match : nullptr;
}

size_t Leases::running() const {
    size_t count = 0;
    for (const auto& [id, lease] : leases_) count += lease->ending ? 0 : 1;
    return count;
}

void Leases::add_worker(const LeasePointer& lease, pid_t pid) {
    lease->workers.insert(pid);
    ++counters_.workers_started;
    children_.watch(pid, [this, lease, pid](int status) { worker_ended(lease, pid, status); });
}

void Leases::worker_ended(const LeasePointer& lease, pid_t pid, int status) {
    lease->workers.erase(pid);
    lease->unused_since = Clock::now();
    if (status != 0 && !lease->ending) {
        ++counters_.workers_failed;
        BF_LOG("daemon", kWarn, "lease %s: worker %d %s", lease->id.c_str(), static_cast<int>(pid),
               status_text(status).c_str());
    } else {
        BF_LOG("daemon", kInfo, "lease %s: worker %d %s", lease->id.c_str(), static_cast<int>(pid),
               status_text(status).c_str());
    }
    finish_if_idle(lease);
}

void Leases::set_held(const LeasePointer& lease, bool held) {
    lease->held = held;
    lease->unused_since = Clock::now();
}

void Leases::end(const LeasePointer& lease, const std::string& reason) {
    if (lease->ending) return;
    lease->ending = true;
    lease->end_reason = reason;
    lease->pulse.cancel();
    BF_LOG("daemon", kInfo, "lease %s ends: %s", lease->id.c_str(), reason.c_str());
    for (const pid_t pid : lease->workers) kill(-pid, SIGTERM);
    if (!lease->workers.empty()) {
        auto grace = std::make_shared<asio::steady_timer>(io_, kTermGrace);
        grace->async_wait([lease, grace](const boost::system::error_code&) {
            for (const pid_t pid : lease->workers) {
                BF_LOG("daemon", kWarn, "lease %s: worker %d ignored SIGTERM for 2 s and is killed",
                       lease->id.c_str(), static_cast<int>(pid));
                kill(-pid, SIGKILL);
            }
        });
    }
    finish_if_idle(lease);
}

void Leases::finish_if_idle(const LeasePointer& lease) {
    if (!lease->ending || !lease->workers.empty()) return;
    if (leases_.erase(lease->id) == 0) return;
    state_ = pool::without_lease(std::move(state_), lease->id);
    ++counters_.leases_ended;
    counters_.traffic_of_ended += read_traffic(lease->accounting.get());
    BF_LOG("daemon", kInfo, "lease %s is over", lease->id.c_str());
    changed_.ring();
}

Task<void> Leases::gone(LeasePointer lease) {
    while (leases_.contains(lease->id)) co_await changed_.wait();
}

Task<void> Leases::end_all(std::string reason) {
    closed_ = true;
    changed_.ring();
    const auto all = leases_;
    for (const auto& [id, lease] : all) end(lease, reason);
    while (!leases_.empty()) co_await changed_.wait();
}

void Leases::schedule_tick() {
    tick_.expires_after(std::chrono::seconds(1));
    tick_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        const auto now = Clock::now();
        const auto all = leases_;
        for (const auto& [id, lease] : all) {
            if (lease->held || !lease->workers.empty()) continue;
            const auto unused = now - lease->unused_since;
            if (lease->must_hold && unused > kHoldGrace) end(lease, "its client did not come to hold it");
            if (unused > auto_release_) end(lease, "nobody held or used it for the auto-release timeout");
        }
        schedule_tick();
    });
}

}  // namespace bitfusion::daemon
