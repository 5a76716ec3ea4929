// Code images by name: the second session sends a name instead of the bytes, and gets the same module; what
// is not there, or not what its name says, is sent as ever.
#include <stdlib.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "client/device.h"
#include "image/digest.h"
#include "session/raw_peer.h"
#include "session/session_test.h"
#include "wire/names.h"

namespace bitfusion::session_test {
namespace {

class CachedImages : public SessionTest {
  protected:
    void SetUp() override {
        const char* loop = getenv("BITFUSION_LOOP");
        if (loop != nullptr && strcmp(loop, "shm") == 0)
            GTEST_SKIP() << "in shared memory images are sent: that is faster";
        std::string pattern = testing::TempDir() + "bitfusion-session-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        image_folder() = folder_ + "/images";
        SessionTest::SetUp();
    }
    void TearDown() override {
        if (folder_.empty()) return;
        SessionTest::TearDown();
        image_folder().clear();
        std::filesystem::remove_all(folder_);
    }

    // A kernel that writes `value`, in more text than is sent without asking.
    static std::string image_of(int value) {
        std::string text =
            ".version 6.4\n.target sm_52\n.address_size 64\n.visible .entry put(.param .u64 p) {\n"
            ".reg .b32 %r<2>; .reg .b64 %rd<3>;\nld.param.u64 %rd1, [p];\nmov.u32 %r1, " +
            std::to_string(value) + ";\nst.global.u32 [%rd1], %r1;\nret;\n}\n";
        while (text.size() < 3 * image::kLeastCached) text += "// a program is longer than this one\n";
        return text;
    }
    // Bytes that the client sent for the load; the kernel's result is checked.
    uint64_t load_and_run(int value, bool as_library) {
        const std::string text = image_of(value);
        const uint64_t before = client::stats().totals().bytes_out;
        CUfunction function = nullptr;
        CUmodule module = nullptr;
        CUlibrary library = nullptr;
        if (as_library) {
            CUkernel kernel = nullptr;
            EXPECT_EQ(
                client::cuLibraryLoadData(&library, text.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0),
                CUDA_SUCCESS);
            EXPECT_EQ(client::cuLibraryGetKernel(&kernel, library, "put"), CUDA_SUCCESS);
            EXPECT_EQ(client::cuKernelGetFunction(&function, kernel), CUDA_SUCCESS);
        } else {
            EXPECT_EQ(client::cuModuleLoadData(&module, text.c_str()), CUDA_SUCCESS);
            EXPECT_EQ(client::cuModuleGetFunction(&function, module, "put"), CUDA_SUCCESS);
        }
        const uint64_t sent = client::stats().totals().bytes_out - before;
        EXPECT_EQ(launch(function, nullptr, {&memory_}), CUDA_SUCCESS);
        int got = 0;
        EXPECT_EQ(client::cuMemcpyDtoH_v2(&got, memory_, sizeof got), CUDA_SUCCESS);
        EXPECT_EQ(got, value);
        if (as_library)
            EXPECT_EQ(client::cuLibraryUnload(library), CUDA_SUCCESS);
        else
            EXPECT_EQ(client::cuModuleUnload(module), CUDA_SUCCESS);
        return sent;
    }
    void reconnect() {
        connect();
        open_device();
    }
    void damage_all() const {
        for (const auto& entry : std::filesystem::directory_iterator(image_folder())) {
            if (entry.path().filename() == "key") continue;
            std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(100);
            file.put('!');
        }
    }

    std::string folder_;
};

TEST_F(CachedImages, TheNextSessionSendsTheNameOnly) {
    open_device();
    EXPECT_GT(load_and_run(11, false), 3 * image::kLeastCached);
    reconnect();
    EXPECT_LT(load_and_run(11, false), 400u);
    EXPECT_LT(load_and_run(11, true), 500u) << "the same bytes as a library";
    EXPECT_GT(load_and_run(12, true), 3 * image::kLeastCached) << "other bytes";
}

TEST_F(CachedImages, AWarmLoadIsOneRoundTrip) {
    open_device();
    const std::string text = image_of(5);
    CUmodule module = nullptr;
    CU_OK(client::cuModuleLoadData(&module, text.c_str()));
    EXPECT_EQ(round_trips([&] {
                  CUmodule again = nullptr;
                  EXPECT_EQ(client::cuModuleLoadData(&again, text.c_str()), CUDA_SUCCESS);
              }),
              1u);
}

TEST_F(CachedImages, DamageOnTheDiskCostsTheBytesAndNothingElse) {
    open_device();
    load_and_run(13, false);
    damage_all();
    EXPECT_GT(load_and_run(13, false), 3 * image::kLeastCached);
    EXPECT_LT(load_and_run(13, false), 400u) << "kept again";
}

TEST_F(CachedImages, ErrorsOfAnImageAreThoseOfOneThatIsSent) {
    open_device();
    std::string text = image_of(1);
    text.replace(text.find("st.global"), 9, "st.nowher");
    std::array<char, 512> log{};
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    for (int i = 0; i < 2; ++i) {
        log.fill('\0');
        void* values[] = {log.data(), reinterpret_cast<void*>(log.size())};
        CUmodule module = nullptr;
        EXPECT_EQ(client::cuModuleLoadDataEx(&module, text.c_str(), 2, options, values),
                  CUDA_ERROR_INVALID_PTX);
        EXPECT_NE(log[0], '\0');
    }
}

// A client made by hand, which knows the key as every client does.
TEST_F(CachedImages, AnotherClientHitsOnlyWhatItCanName) {
    open_device();
    load_and_run(14, false);
    const std::string text = image_of(14) + '\0';
    const image::Digest name = image::digest_of(*client::image_key(), std::as_bytes(std::span(text)));
    RawClient other;
    ASSERT_TRUE(other.open());
    const uint64_t sizes[] = {text.size()};
    msg::ImageLoad m;
    m.name = wire::make_name(wire::Kind::kModule, false, 6000);
    m.sizes = {reinterpret_cast<const uint8_t*>(sizes), sizeof sizes};
    const auto missing = [&](const image::Digest& digest) {
        m.digest = digest;
        Bytes reply;
        EXPECT_EQ(other.ask(m, &reply), CUDA_SUCCESS);
        uint32_t word = 7;
        memcpy(&word, reply.data(), sizeof word);
        return word;
    };
    for (size_t bit = 0; bit < 256; bit += 37) {
        image::Digest near = name;
        near[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        EXPECT_EQ(missing(near), 1u);
    }
    EXPECT_EQ(missing(name), 0u);
    // A part that is longer than what lies there is no image, whatever the message claims.
    const uint64_t more[] = {text.size() + 4096};
    m.sizes = {reinterpret_cast<const uint8_t*>(more), sizeof more};
    m.name = wire::make_name(wire::Kind::kModule, false, 6001);
    m.digest = name;
    Bytes reply;
    EXPECT_EQ(other.ask(m, &reply), CUDA_SUCCESS);
    int32_t status = 0;
    memcpy(&status, reply.data() + 4, sizeof status);
    EXPECT_EQ(status, CUDA_ERROR_INVALID_IMAGE);
    m.digest = std::span(name).first(31);
    EXPECT_EQ(other.ask(m), CUDA_ERROR_UNKNOWN) << "a digest of another length ends the session";
}

}  // namespace
}  // namespace bitfusion::session_test
