// A program that watches: the exported functions of libnvidia-ml.so.1 in this process, and a worker's session
// with two software GPUs at the other end of the link.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "link/loop.h"
#include "nvml/library.h"
#include "nvml_api.gen.h"
#include "session/server.h"

namespace bitfusion::nvml_test {

// Gives the next session of the library this end of a link.
inline std::unique_ptr<link::Link> connect_library() {
    auto ends = link::loop_pair();
    if (!ends) abort();
    nvml::use_link(std::move(ends->first));
    return std::move(ends->second);
}

class Watching : public testing::Test {
  protected:
    void SetUp() override {
        server_ = std::make_unique<session_test::Server>(connect_library());
        ASSERT_EQ(nvmlInit_v2(), NVML_SUCCESS);
        ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device_), NVML_SUCCESS);
        ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(1, &second_), NVML_SUCCESS);
    }
    void TearDown() override {
        while (nvmlShutdown() == NVML_SUCCESS) {
        }
        server_.reset();
    }

    std::unique_ptr<session_test::Server> server_;
    nvmlDevice_t device_ = nullptr;
    nvmlDevice_t second_ = nullptr;
};

}  // namespace bitfusion::nvml_test
