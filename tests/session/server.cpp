#include "session/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "base/log.h"
#include "device/soft/management.h"
#include "device/soft/soft_device.h"

namespace bitfusion::session_test {
namespace {

constexpr std::chrono::seconds kPatience(30);

DriverTable open_driver() {
    DriverTable table{};
    soft::SoftOptions options;
    options.gpus = kGpus;
    options.memory_bytes = uint64_t{1} << 30;
    options.threads = 2;
    if (!soft::open_soft_device(options, &table) || table.cuInit(0) != CUDA_SUCCESS) abort();
    return table;
}

}  // namespace

void quiet() {
    if (getenv("BITFUSION_LOG") == nullptr) log::configure("off");
}

const DriverTable& soft_driver() {
    static const DriverTable table = open_driver();
    return table;
}

void renew_soft_driver() {
    soft_driver();  // what is opened is what is closed
    soft::close_soft_device();
    open_driver();
}

uint64_t& mapped_memory() {
    static uint64_t bytes = worker::Grant().mapped_memory;
    return bytes;
}

std::function<void(ManagementTable*)>& changed_management() {
    static std::function<void(ManagementTable*)> change;
    return change;
}

std::string& image_folder() {
    static std::string folder;
    return folder;
}

Server::Server(std::unique_ptr<link::Link> end, const DriverTable& driver, Descriptor door)
    : driver_(driver), door_(std::move(door)) {
    quiet();
    connection_ = dup(end->wait_descriptor());
    thread_ = std::thread([this, end = std::move(end)]() mutable { serve(std::move(end)); });
}

Server::~Server() {
    thread_.join();
    close(connection_);
}

void Server::bind(uint64_t name, uint64_t object) {
    const std::lock_guard<std::mutex> guard(lock_);
    if (session_ != nullptr) session_->handles.bind(name, object, 0);
}

void Server::cut() { shutdown(connection_, SHUT_RDWR); }

void Server::serve(std::unique_ptr<link::Link> end) {
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    driver_.cuThreadExchangeStreamCaptureMode(&mode);
    worker::Grant grant;
    for (int i = 0; i < kGpus; ++i) grant.devices.push_back(i);
    grant.memory_mib = kPartitionMib;
    grant.mapped_memory = mapped_memory();
    grant.program = "session_tests";
    grant.process = kClientProcess;
    census_.join(lease_.get(), static_cast<uint32_t>(getpid()), grant.process, grant.program);
    std::string why;
    {
        worker::Session session(driver_, std::move(grant), std::move(end), &usage_);
        session.report_to(&census_);
        session.lane_copies.lanes.open_door(std::move(door_), {});
        session.images.open(image_folder(), 1 << 20);
        session.monitor.open_with([](ManagementTable* table) {
            Status opened = soft::open_soft_management(table);
            if (opened && changed_management()) changed_management()(table);
            return opened;
        });
        {
            const std::lock_guard<std::mutex> guard(lock_);
            session_ = &session;
        }
        why = session.run();
        {
            const std::lock_guard<std::mutex> guard(lock_);
            session_ = nullptr;
        }
        // The process of a real worker ends here. This one goes on, so nothing may still use the session.
        session.host_functions.abandon();
        for (int i = 0; i < kGpus; ++i) {
            CUcontext context = nullptr;
            if (driver_.cuDevicePrimaryCtxRetain(&context, i) != CUDA_SUCCESS) continue;
            driver_.cuCtxSetCurrent(context);
            driver_.cuCtxSynchronize();
            driver_.cuCtxSetCurrent(nullptr);
        }
    }
    for (int i = 0; i < kGpus; ++i) driver_.cuDevicePrimaryCtxReset_v2(i);
    const std::lock_guard<std::mutex> guard(lock_);
    why_ = why;
    over_ = true;
    changed_.notify_all();
}

std::string Server::wait_for_end() {
    std::unique_lock<std::mutex> guard(lock_);
    changed_.wait_for(guard, kPatience, [&] { return over_; });
    return over_ ? why_ : "";
}

void Server::rescue() {
    const std::lock_guard<std::mutex> guard(lock_);
    if (session_ != nullptr) session_->host_functions.abandon();
}

void Server::abandon() {
    const std::lock_guard<std::mutex> guard(lock_);
    if (session_ == nullptr) return;  // its contexts have been reset: the next session's are not its own
    session_->host_functions.abandon();
    soft::abandon_soft_work();
}

}  // namespace bitfusion::session_test
