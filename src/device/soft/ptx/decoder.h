// Decoder: one function's statements into instructions.
//
// Each statement becomes one draft or a few: operands name virtual registers first. When all are decoded,
// registers whose lives do not overlap get the same place (allocate.cpp) and the drafts become
// Code::instructions. Not thread-safe; one decoder, one function. Errors: "line 40: instruction '...' is not
// supported by the software GPU", CUDA_ERROR_NOT_SUPPORTED when PTX has it, else CUDA_ERROR_INVALID_PTX.
// Source document: "PTX ISA", chapter 9.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/soft/ptx/builder.h"
#include "device/soft/ptx/code.h"
#include "device/soft/ptx/syntax.h"
#include "device/soft/simt/handlers.h"
#include "device/soft/simt/image_handlers.h"

namespace bitfusion::soft {

// The suffixes of an opcode, taken one by one; what is left at the end is not understood.
class Suffixes {
  public:
    explicit Suffixes(std::string_view opcode);
    std::string_view base() const { return base_; }
    bool take(std::string_view name);
    bool take_prefix(std::string_view prefix);
    // The first suffix left that is a type; kNone without.
    Type take_type();
    // The first suffix left, or empty.
    std::string_view take_any();
    std::string_view first() const { return parts_.empty() ? std::string_view{} : parts_.front(); }
    bool empty() const { return parts_.empty(); }

  private:
    std::string_view base_;
    std::vector<std::string_view> parts_;
};

// Operands of drafts: register numbers, constants (kConstantOperand) or registers at fixed places
// (kFixedOperand).
inline constexpr uint32_t kFixedOperand = 0x4000'0000;

struct Draft {
    Instruction instruction;
    uint32_t line = 0;
    uint32_t text = 0;
    uint8_t count = 0;    // operands in instruction.op
    uint8_t defines = 0;  // bit i: op[i] is written
    uint8_t updates = 0;  // bit i: op[i] is written and read
    uint32_t pool_begin = 0;
    uint32_t pool_count = 0;
    uint32_t pool_defines = 0;  // the first ones are written
    enum class Flow : uint8_t { kNext, kBranch, kTable, kEnd } flow = Flow::kNext;
    std::vector<uint32_t> targets;  // statements
};

class FunctionDecoder {
  public:
    FunctionDecoder(Builder& builder, const ModuleText& module, uint32_t module_number,
                    uint32_t function_number, const FunctionText& text);
    // Parameters and frame, which callers need; for every function before any is decoded.
    Status declare();
    Status decode();

  private:
    using Rule = bool (FunctionDecoder::*)();
    static Rule rule_for(std::string_view base);

    struct Address {
        AddressSpace space = AddressSpace::kGeneric;
        uint32_t operand = 0;
        bool wide = true;
        bool parameter = false;  // constant offset in a kernel's parameters
        int64_t offset = 0;
    };

    // decoder.cpp
    bool wrong(std::string what);
    // Refuses the statement: as a mistake, or as something that PTX has and this GPU has not.
    bool unsupported();
    bool refuse(int code);
    static bool is_refused(std::string_view base);
    bool finished_suffixes();
    bool operands(size_t least, size_t most);
    // One that is missing looks like a sink, which no instruction can read; operands() says that it is
    // missing.
    const OperandText& operand(size_t i) const {
        static const OperandText kMissing;
        return i < statement_->operands.size() ? statement_->operands[i] : kMissing;
    }
    uint32_t temporary(Type type);
    uint32_t constant(uint64_t value, uint32_t lane_bytes);
    // Register, immediate or address as a source of exactly this type; `wider` also takes wider registers.
    bool source(const OperandText& text, Type type, uint32_t* out, bool wider = false);
    bool destination(const OperandText& text, Type type, uint32_t* out, bool wider = false);
    void note_special(std::string_view name);
    bool predicate_source(const OperandText& text, uint32_t* out, bool* negated);
    bool symbol_address(const OperandText& text, uint32_t lane_bytes, uint32_t* out);
    bool address(const OperandText& text, Space space, Address* out);
    Type type_of(const OperandText& text) const;
    bool label(const OperandText& text, uint32_t* statement);
    Draft& emit(Handler handler, std::initializer_list<uint32_t> ops, uint8_t defines = 1);
    void pool(Draft& draft, const std::vector<uint32_t>& operands, uint32_t defines);
    // Destination and sources of these types; unsupported when there is no handler.
    bool simple(Handler handler, std::initializer_list<Type> types);
    bool statement();

    // decode_integer.cpp
    bool decode_integer();
    bool decode_multiply();
    bool decode_shift();
    bool decode_bits();
    bool decode_logic();
    bool decode_carry(std::string_view name, Type type, size_t sources);
    bool decode_dot();
    // decode_float.cpp
    bool decode_arithmetic();
    bool decode_fma();
    bool decode_math();
    bool decode_float_type(std::string_view name, Type type, size_t sources, FloatMode mode);
    bool take_mode(FloatMode* mode);
    // decode_compare.cpp
    bool decode_setp();
    bool decode_set();
    bool decode_video();
    bool decode_scalar_video();
    bool video_pieces(const OperandText& text, uint32_t count, uint32_t* out);
    bool video_mask(const OperandText& text, uint32_t count, uint32_t* mask);
    bool video_source(const OperandText& text, Type type, uint32_t* out);
    bool decode_selp();
    bool decode_slct();
    bool decode_testp();
    // decode_convert.cpp
    bool halves(const OperandText& text, bool writes, uint32_t (&out)[2]);
    bool decode_wide_move();
    bool decode_mov();
    bool decode_cvt();
    bool decode_cvta();
    bool decode_isspacep();
    bool decode_cluster_address();
    bool decode_pack();
    // decode_memory.cpp
    bool load_wide(Space space, bool strong);
    bool store_wide(Space space);
    bool atomic_wide(const std::string& operation, Space space);
    bool decode_ld();
    bool decode_st();
    bool decode_atom();
    bool decode_prefetch();
    bool decode_cp();
    bool decode_fence();
    bool decode_mbarrier();
    Space take_space(Space otherwise);
    void take_cache_hints();
    bool cache_policy_operand(size_t i);
    // decode_control.cpp
    bool decode_bra();
    bool decode_brx();
    bool decode_call();
    bool decode_ret();
    bool decode_exit();
    bool decode_trap();
    bool decode_nothing();
    bool decode_nanosleep();
    bool decode_bar();
    bool decode_stack();
    bool argument_place(const OperandText& text, const FramePlace& formal, Type type, bool result,
                        FramePlace* out);
    // decode_warp.cpp
    static constexpr size_t kNoOperand = SIZE_MAX;
    bool members_operand(size_t i, uint32_t* out);
    bool decode_shfl();
    bool decode_vote();
    bool decode_match();
    bool decode_redux();
    bool decode_activemask();
    bool decode_elect();
    // decode_matrix.cpp
    bool fragment(const OperandText& text, Type type, size_t count, bool writes, std::vector<uint32_t>* out);
    bool decode_wmma();
    bool decode_wmma_multiply();
    bool decode_mma();
    bool decode_ldmatrix();
    bool decode_movmatrix();
    // decode_image.cpp
    bool decode_tex();
    bool decode_tld4();
    bool decode_image_query();
    bool decode_suld();
    bool decode_sust();
    bool decode_sured();
    bool take_geometry(ImageGeometry* geometry);
    bool take_surface(SurfaceForm* form, bool* formatted);
    bool image_place(const OperandText& text, ImageGeometry geometry, bool whole, uint32_t* image,
                     std::vector<uint32_t>* list);
    bool texel_offset(const OperandText& text, TextureForm* form, std::vector<uint32_t>* list);
    bool texture_results(const OperandText& text, Type type, std::vector<uint32_t>* list);
    bool vector_sources(const OperandText& text, Type type, size_t count, std::vector<uint32_t>* list);

    // allocate.cpp
    Status finish();

    Builder& builder_;
    const ModuleText& module_;
    const uint32_t module_number_;
    const uint32_t number_;
    const FunctionText& text_;
    std::vector<Type> registers_;   // virtual registers, with temporaries
    std::vector<uint32_t> places_;  // FunctionText::variables: offset in frame or parameters
    uint32_t frame_bytes_ = 0;
    std::vector<Draft> drafts_;
    std::vector<uint32_t> pool_;
    std::vector<uint32_t> first_drafts_;  // statement -> draft
    const Statement* statement_ = nullptr;
    uint32_t statement_number_ = 0;
    std::optional<Suffixes> suffixes_;
    size_t branch_targets_ = 0;      // of all brx
    std::optional<uint32_t> carry_;  // the condition code register
    std::optional<Error> error_;
};

}  // namespace bitfusion::soft
