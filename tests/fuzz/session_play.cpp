#include "fuzz/session_play.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "device/soft/management.h"
#include "device/soft/soft_device.h"
#include "driver_table.gen.h"
#include "link/link.h"
#include "worker/census.h"
#include "worker/session.h"

namespace bitfusion::fuzz {
namespace {

constexpr int kGpus = 2;
constexpr uint64_t kGpuBytes = uint64_t{64} << 20;
constexpr uint64_t kPartitionMib = 32;
constexpr auto kLaunchLimit = std::chrono::milliseconds(5);
constexpr auto kPatience = std::chrono::milliseconds(250);
constexpr int kLooks = 3;  // at the GPU, when the client says nothing for now

// The client's end: what the conversation says, a frame at a time.
class Client : public link::Link {
  public:
    explicit Client(Conversation* conversation)
        : conversation_(conversation), wake_(eventfd(1, EFD_CLOEXEC)) {}
    ~Client() override { close(wake_); }

    Status send(std::span<const iovec> pieces) override {
        for (const iovec& piece : pieces)
            conversation_->hear({static_cast<const uint8_t*>(piece.iov_base), piece.iov_len});
        return {};
    }
    Result<link::Received> receive(void* target, size_t bytes, link::Wait wait) override {
        if (looks_ > 0 && wait == link::Wait::kNo) {
            --looks_;
            return link::Received{};
        }
        while (said_ == saying_.size()) {
            if (conversation_->over()) return link::Received{0, true};
            saying_ = conversation_->next();
            said_ = 0;
            if (!saying_.empty() || wait == link::Wait::kBlock) continue;
            looks_ = kLooks;
            return link::Received{};
        }
        const size_t given = std::min(bytes, saying_.size() - said_);
        memcpy(target, saying_.data() + said_, given);
        said_ += given;
        return link::Received{given, false};
    }
    int wait_descriptor() const override { return wake_; }  // always readable
    void shut() override {}
    void leave_to_parent() override {}

  private:
    Conversation* const conversation_;
    const int wake_;
    Bytes saying_;
    size_t said_ = 0;
    int looks_ = 0;
};

// A call that waits for what the client will never do is let go on, as the end of the process would.
class Patience {
  public:
    explicit Patience(worker::Session* session) : session_(session), thread_([this] { watch(); }) {}
    ~Patience() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    Patience(const Patience&) = delete;
    Patience& operator=(const Patience&) = delete;

  private:
    void watch() {
        std::unique_lock lock(mutex_);
        while (!changed_.wait_for(lock, kPatience, [this] { return over_; })) {
            session_->host_functions.abandon();
            soft::abandon_soft_work();
        }
    }

    worker::Session* const session_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::thread thread_;
};

DriverTable open_driver() {
    DriverTable table{};
    soft::SoftOptions options;
    options.gpus = kGpus;
    options.memory_bytes = kGpuBytes;
    options.threads = 1;
    options.launch_limit = kLaunchLimit;
    const Status opened = soft::open_soft_device(options, &table);
    if (!opened || table.cuInit(0) != CUDA_SUCCESS) {
        std::fprintf(stderr, "no software GPU: %s\n", opened ? "cuInit failed" : opened.error().what.c_str());
        std::abort();
    }
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    table.cuThreadExchangeStreamCaptureMode(&mode);
    return table;
}

}  // namespace

std::string play(Conversation* conversation) {
    const DriverTable driver = open_driver();
    worker::Grant grant;
    for (int i = 0; i < kGpus; ++i) grant.devices.push_back(i);
    grant.memory_mib = kPartitionMib;
    worker::Usage usage{};
    const auto lease = std::make_unique<worker::CensusMemory>();
    worker::Census census;
    census.join(lease.get(), static_cast<uint32_t>(getpid()), 1, "fuzz");
    std::string why;
    {
        worker::Session session(driver, std::move(grant), std::make_unique<Client>(conversation), &usage);
        session.report_to(&census);
        session.monitor.open_with([](ManagementTable* table) { return soft::open_soft_management(table); });
        {
            const Patience patience(&session);
            why = session.run();
            session.host_functions.abandon();
            soft::close_soft_device();
        }
    }
    for (int i = 0; i < kGpus; ++i) {
        if (usage.bytes[i].load() == 0) continue;
        std::fprintf(stderr, "%llu bytes of device %d are still charged after the session\n",
                     static_cast<unsigned long long>(usage.bytes[i].load()), i);
        std::abort();
    }
    return why;
}

}  // namespace bitfusion::fuzz
