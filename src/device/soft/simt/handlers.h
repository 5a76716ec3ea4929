// Handlers: the decoder asks here for the function that executes an instruction.
//
// Every select function returns null for what the software GPU does not have; the decoder then refuses the
// program. Operand order in Instruction::op is destination(s), then sources, as PTX writes them, unless a
// comment says otherwise. Any thread may call these; they only look up tables. Source document: "PTX ISA",
// chapter 9.
#pragma once

#include <optional>
#include <string_view>

#include "device/soft/ptx/code.h"
#include "device/soft/ptx/types.h"
#include "device/soft/simt/memory.h"

namespace bitfusion::soft {

enum class Rounding : uint8_t { kNearest, kZero, kDown, kUp, kNearestAway, kNone };

// What floating-point instructions carry besides their type.
struct FloatMode {
    Rounding rounding = Rounding::kNearest;
    bool ftz = false;
    bool sat = false;
    bool nan = false;      // min.NaN
    bool xorsign = false;  // min.xorsign.abs
    bool relu = false;
};

// Instruction::flags of float handlers that look at the mode while they run.
inline constexpr uint32_t kFlagRounding = 7;  // mask of Rounding
inline constexpr uint32_t kFlagFtz = 8;
inline constexpr uint32_t kFlagSat = 16;
inline constexpr uint32_t kFlagRelu = 32;
inline constexpr uint32_t kFlagNan = 64;
inline constexpr uint32_t kFlagIntegral = 128;  // cvt.rni and the like

enum class Compare : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu, kNum, kNan };
enum class Combine : uint8_t { kNone, kAnd, kOr, kXor };

// execute_integer.cpp: add sub mul.lo mul.hi min max neg abs not and or xor cnot shl shr div rem ...
// names carry what changes the operation: "mul.wide", "mad.hi", "add.sat", "add.cc", "addc.cc".
Handler select_integer(std::string_view name, Type type);
// add.u16x2 and the like, on 32-bit registers
Handler select_integer_pair(std::string_view name, bool is_signed);
// execute_bits.cpp: popc clz bfind bfind.shiftamt brev bfe bfi prmt prmt.f4e.. lop3 shf.l.wrap fns szext bmsk
// dp2a dp4a
Handler select_bits(std::string_view name, Type type);
// execute_logic.cpp: and or xor not mov on predicates
Handler select_predicate(std::string_view name);
// execute_float.cpp: f32 and f64. add sub mul fma div sqrt rcp min max neg abs copysign testp.*
Handler select_float(std::string_view name, Type type, const FloatMode& mode);
// execute_math.cpp: rcp.approx sqrt.approx rsqrt.approx sin cos lg2 ex2 tanh div.approx ...
Handler select_math(std::string_view name, Type type);
// execute_half.cpp: f16 f16x2 bf16 bf16x2
Handler select_half(std::string_view name, Type type, const FloatMode& mode);

// execute_compare.cpp. setp: op = {p, q, a, b, c}; flags bit 0: c negated, bit 1: there is a q.
Handler select_setp(Compare compare, Combine combine, Type type, bool ftz);
// With f16x2 and bf16x2 p is for the low halves, q for the high ones.
// set: op = {d, a, b, c}; flags as above, immediate: set_result(), which is negative where the result's type
// does not go with the operands'. With f16x2 it is for each half.
Handler select_set(Compare compare, Combine combine, Type type, bool ftz);
int64_t set_result(Type result, Type type);
// selp: op = {d, a, b, p}; flags bit 0: p negated
Handler select_selp(uint32_t lane_bytes);
// slct: op = {d, a, b, c}
Handler select_slct(uint32_t lane_bytes, bool float_selector, bool ftz);

// execute_scalar_video.cpp: vadd vsub vabsdiff vmin vmax vshl vshr vset vmad: op = {d, a, b, c} with a and b
// already selected and extended; flags: scalar_video_flags()
enum class Second : uint8_t { kNone, kAdd, kMin, kMax };
struct VideoMode {
    bool signed_d = false, signed_a = false, signed_b = false;
    bool saturates = false;
    bool wraps = false;          // vshl.wrap
    bool minus_product = false;  // vmad with one of a and b negated
    bool minus_c = false;
    bool plus_one = false;  // vmad.po
    uint32_t scale = 0;     // vmad.shr7, .shr15
    Second second = Second::kNone;
    Compare compare = Compare::kEq;
    uint32_t part_bits = 0;  // of the destination; 0: all of it
    uint32_t part_shift = 0;
};
Handler select_scalar_video(std::string_view name);
uint32_t scalar_video_flags(const VideoMode& mode);

// execute_video.cpp: vadd4 vabsdiff2 vset4 ...: op = {d, a, b, c}; flags: video_flags(); immediate: pack()
struct VideoPieces {
    uint32_t mask = 0;  // bit i: piece i of the target is written; else it is c's
    uint32_t a = 0;     // four bits for each piece: which of {b, a} is the first source
    uint32_t b = 0;     // the same for the second
};
int64_t pack(const VideoPieces& pieces);
Handler select_video(std::string_view name);
uint32_t video_flags(bool signed_d, bool signed_a, bool signed_b, bool saturates, bool accumulates,
                     Compare compare);

// execute_move.cpp
Handler select_move(uint32_t lane_bytes);
// mov.b32 d, {a, b, ...}: op = {d}, sources in operands[extra..]; pieces 2 or 4
Handler select_pack(uint32_t bytes, unsigned pieces);
// mov.b32 {a, b}, s: op = {s}, destinations in operands[extra..]
Handler select_unpack(uint32_t bytes, unsigned pieces);
// Special registers: op = {d}
Handler select_special(std::string_view name, uint32_t lane_bytes);
// op = {d, a}; between lane widths: "narrow" 8 -> 4 bytes, "widen" 4 -> 8 bytes zero-extended
Handler select_resize(bool widen);

// execute_convert.cpp: op = {d, a}; flags carry FloatMode bits; to_integer rounding in flags as well.
Handler select_convert(Type to, Type from, const FloatMode& mode);
// cvt.rn.f16x2.f32 d, a, b: op = {d, a, b}
Handler select_convert_pair(Type to);
// cvt.pack.sat: op = {d, a, b, c}; flags: bits of a part, 256 for signed parts
Handler select_pack_saturated();
// cvt.rn.f16x2.e4m3x2 d, a
Handler select_convert_small(Type to, Type from);

// execute_memory.cpp: ld: op = {d, address} (vector: destinations in operands[extra..]), immediate offset.
// `type` is the memory type; lane bytes of the register; wide: 64-bit address register.
Handler select_load(AddressSpace space, Type type, uint32_t lane_bytes, unsigned count, bool wide,
                    bool waits);
// st: op = {value, address} (vector: sources in operands[extra..])
Handler select_store(AddressSpace space, Type type, uint32_t lane_bytes, unsigned count, bool wide);
// ld.param of a kernel at a constant offset: op = {d}, immediate
Handler select_load_parameter(Type type, uint32_t lane_bytes, unsigned count);
// cp.async: op = {shared address, global address, size register or constant}; flags: bytes; extra: bit 0
// shared wide
Handler select_copy_async();
// Prefetch: checks nothing, does nothing.
Handler select_nothing();
Handler select_fence();
// cvta and isspacep: op = {d or p, a}
Handler select_address_to(AddressSpace space, bool to_generic);
Handler select_is_space(std::string_view space);

// execute_atomic.cpp: atom: op = {d, address, b, c}; red: the same with a scratch destination.
Handler select_atomic(std::string_view operation, AddressSpace space, Type type, bool wide);
// atom.b128: op = {address}; operands[extra..] = d d b b c c, the low halves first. Null where the processor
// has no such instruction.
Handler select_atomic_wide(bool compares, AddressSpace space, bool wide);
// several values at once, red.global.add.v4.f32: sources in operands[extra..], flags: count; op = {_,
// address}
Handler select_atomic_vector(std::string_view operation, Type type, bool wide);

// execute_control.cpp
Handler select_branch();        // immediate: target
Handler select_branch_table();  // op = {index}, extra: Code::branch_tables
Handler select_exit();
Handler select_return();
Handler select_call();           // extra: Code::calls
Handler select_call_indirect();  // op = {address}, extra: Code::calls
Handler select_trap();
Handler select_nanosleep();
// stacksave: {d}; stackrestore: {a}; alloca: {d, size}, immediate: alignment
Handler select_stack(std::string_view name, uint32_t lane_bytes);

// execute_barrier.cpp: op = {id, count} or red: {d or p, id, count, p}; immediate bit 0: there is a count,
// bit 1: p negated
Handler select_barrier(std::string_view name);

// execute_warp.cpp
// shfl: op = {d, a, b, c, p}; extra: register with the member mask; flags bit 0: there is a p
Handler select_shuffle(std::string_view mode);
// vote, match, redux, activemask, elect: op = {d, a, members, p}; flags bit 0: a negated, bit 1: there is a p
Handler select_vote(std::string_view mode);
Handler select_match(std::string_view mode, uint32_t lane_bytes);
Handler select_redux(std::string_view operation, Type type);
Handler select_active_mask();
Handler select_elect();
Handler select_warp_sync();  // op = {members}

// execute_matrix.cpp: operands[extra..] = d..., a..., b..., c...
// flags: element kinds, see execute_matrix.cpp
Handler select_matrix(std::string_view shape, std::string_view a_layout, std::string_view b_layout, Type d,
                      Type a, Type b, Type c, std::string_view operation);
// execute_quads.cpp: mma.m8n8k4 of f16, four products side by side; select_matrix calls it
Handler select_quads(std::string_view a_layout, std::string_view b_layout, Type d, Type c);
// Registers of the fragment d, a, b or c (0..3); for c give its type as `d`. 0 when the shape is unknown.
size_t matrix_registers(std::string_view shape, Type d, Type a, unsigned fragment);
// ldmatrix: op = {address}, operands[extra..] = d...; flags: count, bit 8: transposed
Handler select_load_matrix(bool wide, bool store);
Handler select_transpose_matrix();  // movmatrix: op = {d, a}

// execute_wmma.cpp, which says what the fields of Instruction hold
struct WmmaShape {
    uint32_t m, n, k;
};
enum class WmmaPart : uint8_t { kA, kB, kC };
std::optional<WmmaShape> wmma_shape(std::string_view name);
// Registers of a fragment of this type; 0: there is no such fragment.
uint32_t wmma_registers(const WmmaShape& shape, WmmaPart part, Type type);
// Null for what cannot be stored. `type`, `a`: of the elements.
Handler select_wmma_transfer(bool store, Type type);
Handler select_wmma(Type a);
// execute_wmma_bits.cpp: elements of 4 bits and 1 bit; the two functions above call these
Handler select_wmma_bits_load();
Handler select_wmma_bits();

// execute_mbarrier.cpp
Handler select_mbarrier(std::string_view name, AddressSpace space, bool wide);

}  // namespace bitfusion::soft
