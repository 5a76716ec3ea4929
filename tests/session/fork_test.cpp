// fork: the child has no session. (That it does not keep the parent's alive: tests/e2e/program_test.py.)
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class Fork : public SessionTest {
  protected:
    // Runs `inside` in a child, which then lives until the pipe is closed; its exit code comes from
    // end_child().
    void fork_child(const std::function<int()>& inside) {
        ASSERT_EQ(pipe(until_.data()), 0);
        ASSERT_EQ(pipe(ready_.data()), 0);
        child_ = fork();
        if (child_ != 0) {
            close(until_[0]);
            close(ready_[1]);
            uint8_t byte = 0;
            ASSERT_EQ(read(ready_[0], &byte, 1), 1);
            return;
        }
        close(until_[1]);
        const int code = inside();
        uint8_t byte = 1;
        if (write(ready_[1], &byte, 1) != 1) _exit(90);
        (void)!read(until_[0], &byte, 1);  // ends with the parent's end of the pipe
        _exit(code);
    }
    int end_child() {
        close(until_[1]);
        close(ready_[0]);
        int status = 0;
        waitpid(child_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::array<int, 2> until_{};
    std::array<int, 2> ready_{};
    pid_t child_ = 0;
};

TEST_F(Fork, TheChildHasNoSessionAndTheParentKeepsItsOwn) {
    open_device();
    ASSERT_NO_FATAL_FAILURE(fork_child([&] {
        CUdeviceptr address = 0;
        size_t free = 0;
        size_t total = 0;
        if (client::cuInit(0) != CUDA_ERROR_NOT_INITIALIZED) return 1;
        if (client::cuMemAlloc_v2(&address, 256) != CUDA_ERROR_NOT_INITIALIZED) return 2;
        if (client::cuMemGetInfo_v2(&free, &total) != CUDA_ERROR_NOT_INITIALIZED) return 3;
        return 0;
    }));
    CU_OK(add_one(memory_, 1, nullptr));
    uint32_t value = 0;
    CU_OK(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value));
    EXPECT_EQ(value, 1u);
    EXPECT_EQ(end_child(), 0);
}

}  // namespace
}  // namespace bitfusion::session_test
