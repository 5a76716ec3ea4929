// Server: a worker's session on a thread of its own, with the software GPU; the other end of its link is the
// test's. What a worker process would leave to its end is undone here, so that one test does not meet
// another's contexts.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "driver_table.gen.h"
#include "link/link.h"
#include "nvml_table.gen.h"
#include "worker/census.h"
#include "worker/session.h"

namespace bitfusion::session_test {

constexpr int kGpus = 2;
constexpr uint64_t kPartitionMib = 512;
constexpr uint32_t kClientProcess = 4242;  // as the worker has it from the greeting

// The software driver of this process.
const DriverTable& soft_driver();
// Ends that driver and begins another, which has nothing of what sessions have left. While none runs.
void renew_soft_driver();

// Thousands of broken sessions would each log a line; BITFUSION_LOG brings them back.
void quiet();

// What the workers of this process may take for mirrors, for the tests that set it; bytes.
uint64_t& mapped_memory();

// What the workers of this process have for NVML, changed by the tests that set it; empty: the software
// GPU's.
std::function<void(ManagementTable*)>& changed_management();

// Where the workers of this process keep code images, for the tests that set it; empty: nowhere.
std::string& image_folder();

class Server {
  public:
    // Serves the client at the other end of the link; lanes come through the door.
    explicit Server(std::unique_ptr<link::Link> end, const DriverTable& driver = soft_driver(),
                    Descriptor door = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Waits until the session is over, and says why; empty when it is not over in time.
    std::string wait_for_end();
    // Bytes charged to the partition of a GPU.
    uint64_t charged(int device) const { return usage_.bytes[device].load(); }
    // Gives an object of the driver a name of the program's, as a call that creates it would. While the
    // session is idle: the next message orders it before what the worker does.
    void bind(uint64_t name, uint64_t object);
    // Breaks the connection under both sides, as a network would. Any thread.
    void cut();
    // Lets every stream that waits for a host function go on: for a test that would otherwise hang.
    void rescue();
    // Lets everything on the GPU go on, with an error: for a session that must end whatever it waits for.
    void abandon();

  private:
    void serve(std::unique_ptr<link::Link> end);

    const DriverTable driver_;
    Descriptor door_;
    int connection_ = -1;  // a second descriptor of the worker's end
    worker::Usage usage_{};
    const std::unique_ptr<worker::CensusMemory> lease_ = std::make_unique<worker::CensusMemory>();
    worker::Census census_;
    std::mutex lock_;
    std::condition_variable changed_;
    worker::Session* session_ = nullptr;  // while it runs
    bool over_ = false;
    std::string why_;
    std::thread thread_;
};

}  // namespace bitfusion::session_test
