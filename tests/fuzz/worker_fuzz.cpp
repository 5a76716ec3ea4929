// The worker's dispatcher against a hostile client: the input is a conversation (conversation.h). Nothing of
// the process may be touched that is not the session's (AddressSanitizer), nothing may be undefined, no
// message may hold the worker for ever (-timeout), and what was charged to the partition comes back.
#include <string>
#include <string_view>

#include "base/log.h"
#include "fuzz/session_play.h"

namespace {

constexpr std::string_view kCode = R"(.version 7.8
.target sm_80
.address_size 64
.visible .global .align 8 .b8 g[64];
.global .texref t;
.visible .entry k(.param .u64 p, .param .u32 n)
{
    .reg .b64 %a; .reg .b32 %n, %t; .reg .pred %past;
    ld.param.u64 %a, [p]; ld.param.u32 %n, [n]; mov.u32 %t, %tid.x;
    setp.ge.u32 %past, %t, %n; @%past ret;
    mad.wide.u32 %a, %t, 4, %a; st.global.u32 [%a], %t; ret;
}
.visible .entry fill(.param .u64 p, .param .align 16 .b8 s[48])
{
    .reg .b64 %a; .reg .b32 %v; .shared .align 4 .b8 m[128];
    ld.param.u64 %a, [p]; ld.param.u32 %v, [s+16]; st.shared.u32 [m], %v; bar.sync 0; st.global.u32 [%a+4], %v; ret;
}
.visible .entry spin()
{
L:  bra L;
}
)";
constexpr std::string_view kBroken =
    ".version 7.8\n.target sm_80\n.visible .entry k(.param .u64 p) { ld.global [p], p; }";

// A fat binary of one entry of PTX, and of one that nothing here can run.
std::string fatbin(uint16_t kind) {
    const auto put = [](std::string* text, auto value) {
        text->append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    std::string payload(kCode);
    payload.resize((payload.size() + 1 + 7) / 8 * 8);
    std::string entry;
    put(&entry, kind);
    put(&entry, uint16_t{0x101});
    put(&entry, uint32_t{64});
    put(&entry, uint64_t{payload.size()});
    entry.resize(28);
    put(&entry, uint32_t{80});
    entry.resize(64);
    std::string whole;
    put(&whole, uint32_t{0xba55ed50});
    put(&whole, uint16_t{1});
    put(&whole, uint16_t{16});
    put(&whole, uint64_t{entry.size() + payload.size()});
    return whole + entry + payload;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace bitfusion;
    static const bool quiet = (log::configure("off"), true);
    static_cast<void>(quiet);
    static const std::string with_ptx = fatbin(1);
    static const std::string with_code = fatbin(2);
    static const std::string_view images[] = {kCode, with_ptx, with_code, kBroken};
    fuzz::Conversation conversation(fuzz::Input(data, size), images);
    fuzz::play(&conversation);
    return 0;
}
