// Random kernels on the driver under test against the host: tests/ptx/random_program.h.
#include "conformance/objects.h"
#include "ptx/random_program.h"

namespace bitfusion::ptx {
namespace {

using conformance::Memory;

constexpr uint32_t kThreads = 320;
constexpr uint64_t kPrograms = 150;

class PtxRandom : public conformance::OnDevice {
  protected:
    void run(uint64_t seed) {
        const RandomProgram program(seed);
        std::string text =
            ".version 7.0\n.target sm_52\n.address_size 64\n.visible .entry k(.param .u64 data) {\n"
            ".reg .b64 %at; .reg .b32 %i, %n, %r<8>;\n"
            "ld.param.u64 %at, [data]; mov.u32 %i, %ctaid.x; mov.u32 %n, %ntid.x; mov.u32 %r0, %tid.x;\n"
            "mad.lo.u32 %i, %i, %n, %r0; mad.wide.u32 %at, %i, 32, %at;\n";
        for (int i = 0; i < 8; ++i)
            text += "ld.global.b32 %r" + std::to_string(i) + ", [%at+" + std::to_string(4 * i) + "];\n";
        text += program.ptx();
        for (int i = 0; i < 8; ++i)
            text += "st.global.b32 [%at+" + std::to_string(4 * i) + "], %r" + std::to_string(i) + ";\n";
        text += "ret;\n}\n";
        std::mt19937_64 random(seed + 1000);
        std::vector<Registers> values(kThreads);
        for (Registers& one : values)
            for (uint32_t& value : one)
                value = static_cast<uint32_t>((random() & 1) != 0 ? random() : random() % 37);
        const conformance::Module module(text.c_str());
        ASSERT_TRUE(module.ok()) << text;
        const Memory memory(kThreads * sizeof(Registers));
        ASSERT_TRUE(memory.ok());
        memory.write(values.data(), memory.bytes());
        ASSERT_EQ(conformance::launch(module.function("k"), {.grid_x = kThreads / 64, .block_x = 64}, nullptr,
                                      memory.at()),
                  CUDA_SUCCESS);
        const auto got = memory.words();
        ASSERT_EQ(got.size(), kThreads * 8);
        for (uint32_t i = 0; i < kThreads; ++i) {
            program.run(values[i]);
            for (uint32_t k = 0; k < 8; ++k)
                ASSERT_EQ(got[i * 8 + k], values[i][k])
                    << "seed " << seed << ", thread " << i << ", register " << k << "\n"
                    << text;
        }
    }
};

TEST_F(PtxRandom, KernelsComputeWhatTheHostComputes) {
    for (uint64_t seed = 0; seed < kPrograms && !HasFatalFailure(); ++seed) run(seed);
}

}  // namespace
}  // namespace bitfusion::ptx
