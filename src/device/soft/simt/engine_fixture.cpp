#include "device/soft/simt/engine_fixture.h"

namespace bitfusion::soft {

EngineFixture::EngineFixture() : memory_(kMemory / 8), granules_(kMemory >> kGranuleShift) {
    window_ = {reinterpret_cast<uint64_t>(memory_.data()), kMemory, granules_.data(), kGranuleShift};
}

uint64_t EngineFixture::allocate(size_t bytes) {
    constexpr size_t kGranule = size_t{1} << kGranuleShift;
    const size_t begin = used_;
    const size_t count = (bytes + kGranule - 1) / kGranule;
    EXPECT_LE(begin + (count + 1) * kGranule, kMemory);
    for (size_t i = 0; i < count; ++i) granules_[(begin >> kGranuleShift) + i] = 1;
    used_ = begin + (count + 1) * kGranule;
    return window_.base + begin;
}

void EngineFixture::release(uint64_t address, size_t bytes) {
    for (uint64_t at = address - window_.base; at < address - window_.base + bytes;
         at += uint64_t{1} << kGranuleShift)
        granules_[at >> kGranuleShift] = 0;
}

std::string EngineFixture::module(const std::string& body, const char* target) {
    return std::string(".version 8.4\n.target ") + target + "\n.address_size 64\n" + body;
}

std::shared_ptr<const LoadedProgram> EngineFixture::load(std::string_view ptx) {
    auto program = assemble(ptx);
    if (!program) {
        ADD_FAILURE() << program.error().what;
        return nullptr;
    }
    std::vector<uint64_t> addresses;
    for (const Variable& variable : (*program)->variables())
        addresses.push_back(allocate(variable.size == 0 ? 1 : variable.size));
    auto loaded = LoadedProgram::load(*program, addresses);
    if (!loaded) {
        ADD_FAILURE() << loaded.error().what;
        return nullptr;
    }
    return *loaded;
}

LaunchRequest EngineFixture::request(const std::shared_ptr<const LoadedProgram>& program,
                                     std::string_view kernel, Dim3 grid, Dim3 block,
                                     const Arguments& arguments) {
    LaunchRequest out;
    out.program = program;
    out.kernel = program->program()->find_kernel(kernel).value();
    out.grid = grid;
    out.block = block;
    out.parameters = arguments.bytes();
    out.windows = {&window_, 1};
    out.print = [this](std::string_view text) { printed_ += text; };
    return out;
}

Outcome EngineFixture::launch(const std::shared_ptr<const LoadedProgram>& program, std::string_view kernel,
                              Dim3 grid, Dim3 block, const Arguments& arguments) {
    return run(request(program, kernel, grid, block, arguments));
}

uint64_t EngineFixture::evaluate(const std::string& instructions, std::string_view types,
                                 std::vector<uint64_t> inputs) {
    static constexpr const char* kNames[] = {"%d", "%a", "%b", "%c", "%e"};
    std::string body = ".visible .entry k(.param .u64 p) {\n.reg .u64 %base, %wide;\n.reg .u32 %lane;\n";
    for (size_t i = 0; i < types.size(); ++i)
        body += std::string(".reg .") +
                (types[i] == 'h'   ? "b16"
                 : types[i] == 'r' ? "b32"
                 : types[i] == 'l' ? "b64"
                                   : "pred") +
                " " + kNames[i] + ";\n";
    body += "ld.param.u64 %base, [p];\n";
    for (size_t i = 1; i < types.size(); ++i) {
        const std::string from = "[%base+" + std::to_string(8 * i) + "];\n";
        if (types[i] == 'h') body += std::string("ld.global.u16 ") + kNames[i] + ", " + from;
        if (types[i] == 'r') body += std::string("ld.global.u32 ") + kNames[i] + ", " + from;
        if (types[i] == 'l') body += std::string("ld.global.u64 ") + kNames[i] + ", " + from;
        if (types[i] == 'p')
            body += "ld.global.u64 %wide, " + from + "setp.ne.u64 " + kNames[i] + ", %wide, 0;\n";
    }
    body += instructions + "\n";
    if (types[0] == 'h') body += "cvt.u64.u16 %wide, %d;\n";
    if (types[0] == 'r') body += "cvt.u64.u32 %wide, %d;\n";
    if (types[0] == 'l') body += "mov.u64 %wide, %d;\n";
    if (types[0] == 'p') body += "selp.u64 %wide, 1, 0, %d;\n";
    body +=
        "mov.u32 %lane, %laneid;\nmad.wide.u32 %base, %lane, 8, %base;\nst.global.u64 [%base+64], "
        "%wide;\nret;\n}\n";
    const auto program = load(module(body));
    if (program == nullptr) return 0xdead;
    auto* memory = array<uint64_t>(8 + 32);
    for (size_t i = 0; i < inputs.size(); ++i) memory[i + 1] = inputs[i];
    const auto run_with = [&](uint32_t threads) {
        const Outcome outcome = launch(program, "k", {1}, {threads}, Arguments().add(memory));
        EXPECT_TRUE(outcome) << instructions << ": " << outcome.fault.message;
        return memory[8];
    };
    const uint64_t alone = run_with(1);
    std::memset(memory + 8, 0, 32 * 8);
    EXPECT_EQ(run_with(32), alone) << instructions;
    for (unsigned lane = 1; lane < 32; ++lane)
        EXPECT_EQ(memory[8 + lane], alone) << instructions << " lane " << lane;
    return alone;
}

}  // namespace bitfusion::soft
