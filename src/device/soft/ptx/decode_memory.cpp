// Loads, stores, atomics, asynchronous copies, fences ("PTX ISA", sections 9.7.9, 9.7.13).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

Space FunctionDecoder::take_space(Space otherwise) {
    Suffixes& suffixes = *suffixes_;
    if (suffixes.take("global")) return Space::kGlobal;
    if (suffixes.take("shared") || suffixes.take("shared::cta") || suffixes.take("shared::cluster"))
        return Space::kShared;
    if (suffixes.take("local")) return Space::kLocal;
    if (suffixes.take("const")) return Space::kConst;
    if (suffixes.take("param") || suffixes.take("param::entry") || suffixes.take("param::func"))
        return Space::kParam;
    return otherwise;
}

// What concerns caches only: the software GPU has none.
void FunctionDecoder::take_cache_hints() {
    Suffixes& suffixes = *suffixes_;
    for (const std::string_view hint : {"ca", "cg", "cs", "cv", "lu", "wb", "wt", "nc", "weak", "unified"})
        suffixes.take(hint);
    while (suffixes.take_prefix("L1::") || suffixes.take_prefix("L2::") || suffixes.take_prefix("level::")) {
    }
    for (const std::string_view scope : {"cta", "cluster", "gpu", "sys"}) suffixes.take(scope);
}

// A trailing cache policy is read and has no effect.
bool FunctionDecoder::cache_policy_operand(size_t i) {
    uint32_t policy = 0;
    return statement_->operands.size() <= i || source(operand(i), Type::kB64, &policy);
}

// 128 bits travel as two halves of 64, in one access.
bool FunctionDecoder::load_wide(Space space, bool strong) {
    uint32_t d[2] = {};
    Address from;
    if (!halves(operand(0), true, d) || !address(operand(1), space, &from)) return false;
    if (from.parameter) return unsupported();
    Draft& draft =
        emit(select_load(from.space, Type::kB64, 8, 2, from.wide, strong), {constant(0, 8), from.operand}, 0);
    draft.instruction.immediate = from.offset;
    pool(draft, {d[0], d[1]}, 2);
    if (strong) emit(select_fence(), {}, 0);
    return true;
}

bool FunctionDecoder::store_wide(Space space) {
    uint32_t a[2] = {};
    Address to;
    if (!halves(operand(1), false, a) || !address(operand(0), space, &to)) return false;
    if (to.space == AddressSpace::kParam)
        return wrong("a kernel cannot write its parameters; check the PTX text");
    Draft& draft = emit(select_store(to.space, Type::kB64, 8, 2, to.wide), {constant(0, 8), to.operand}, 0);
    draft.instruction.immediate = to.offset;
    pool(draft, {a[0], a[1]}, 0);
    return true;
}

// atom.b128: exch and cas on both halves at once
bool FunctionDecoder::atomic_wide(const std::string& operation, Space space) {
    const bool cas = operation == "cas";
    uint32_t d[2] = {};
    uint32_t b[2] = {};
    uint32_t c[2] = {};
    Address place;
    if ((!cas && operation != "exch") || suffixes_->base() != "atom") return unsupported();
    if (!halves(operand(0), true, d) || !address(operand(1), space, &place) ||
        !halves(operand(2), false, b) || (cas && !halves(operand(3), false, c)))
        return false;
    if (place.space != AddressSpace::kGeneric && place.space != AddressSpace::kShared) return unsupported();
    if (!cas) {
        c[0] = b[0];
        c[1] = b[1];
    }
    Draft& draft = emit(select_atomic_wide(cas, place.space, place.wide), {place.operand}, 0);
    draft.instruction.immediate = place.offset;
    pool(draft, {d[0], d[1], b[0], b[1], c[0], c[1]}, 2);
    return true;
}

bool FunctionDecoder::decode_ld() {
    Suffixes& suffixes = *suffixes_;
    const Space space = take_space(Space::kGeneric);
    const bool acquire = suffixes.take("acquire");
    const bool strong =
        acquire | suffixes.take("volatile") | suffixes.take("relaxed") | suffixes.take("mmio");
    take_cache_hints();
    const unsigned count = suffixes.take("v2") ? 2 : suffixes.take("v4") ? 4 : suffixes.take("v8") ? 8 : 1;
    const Type type = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (bytes_of(type) == 0 || bytes_of(type) * count > 32) return unsupported();
    if (!operands(2, 3) || !cache_policy_operand(2)) return false;
    if (type == Type::kB128) return count == 1 ? load_wide(space, strong) : unsupported();
    const bool vector = operand(0).kind == OperandText::Kind::kVector;
    if (vector != (count > 1) || (vector && operand(0).elements.size() != count))
        return wrong("the destination needs " + std::to_string(count) + " registers; check the PTX text");
    std::vector<uint32_t> list(count);
    uint32_t lanes = 0;
    for (unsigned i = 0; i < count; ++i) {
        const OperandText& text = vector ? operand(0).elements[i] : operand(0);
        if (!destination(text, type, &list[i], true)) return false;
        const uint32_t own = lane_bytes_of(registers_[list[i]]);
        if (lanes != 0 && own != lanes)
            return wrong("the registers of a vector need one width; check the PTX text");
        lanes = own;
    }
    Address from;
    if (!address(operand(1), space, &from)) return false;
    if (from.parameter) {
        const Handler handler = select_load_parameter(type, lanes, count);
        if (handler == nullptr) return unsupported();
        const auto end = static_cast<uint64_t>(from.offset) + uint64_t{bytes_of(type)} * count;
        uint64_t bytes = 0;
        for (const FramePlace& place : builder_.code().functions[number_].parameters)
            bytes = std::max<uint64_t>(bytes, place.offset + place.size);
        if (from.offset < 0 || end > bytes)
            return wrong("the address is outside of the parameters; check the PTX text");
        Draft& draft = count == 1 ? emit(handler, {list[0]}) : emit(handler, {});
        draft.instruction.immediate = from.offset;
        if (count > 1) pool(draft, list, count);
        return true;
    }
    const Handler handler = select_load(from.space, type, lanes, count, from.wide, strong);
    if (handler == nullptr) return unsupported();
    const uint32_t scratch = count == 1 ? list[0] : constant(0, 8);
    Draft& draft = emit(handler, {scratch, from.operand}, count == 1 ? 1 : 0);
    draft.instruction.immediate = from.offset;
    if (count > 1) pool(draft, list, count);
    if (acquire) emit(select_fence(), {}, 0);
    return true;
}

bool FunctionDecoder::decode_st() {
    Suffixes& suffixes = *suffixes_;
    if (suffixes.take("async") || suffixes.take("bulk")) return refuse(kNotSupported);
    const Space space = take_space(Space::kGeneric);
    const bool release = suffixes.take("release");
    for (const std::string_view strong : {"volatile", "relaxed", "mmio"}) suffixes.take(strong);
    take_cache_hints();
    const unsigned count = suffixes.take("v2") ? 2 : suffixes.take("v4") ? 4 : suffixes.take("v8") ? 8 : 1;
    const Type type = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (bytes_of(type) == 0 || bytes_of(type) * count > 32) return unsupported();
    if (!operands(2, 3) || !cache_policy_operand(2)) return false;
    if (type == Type::kB128) {
        if (release) emit(select_fence(), {}, 0);
        return count == 1 ? store_wide(space) : unsupported();
    }
    const bool vector = operand(1).kind == OperandText::Kind::kVector;
    if (vector != (count > 1) || (vector && operand(1).elements.size() != count))
        return wrong("the source needs " + std::to_string(count) + " registers; check the PTX text");
    std::vector<uint32_t> list(count);
    uint32_t lanes = 0;
    for (unsigned i = 0; i < count; ++i) {
        const OperandText& text = vector ? operand(1).elements[i] : operand(1);
        if (!source(text, type, &list[i], true)) return false;
        // immediates come in lanes of the type's width
        const Type actual = type_of(text);
        const uint32_t own = actual != Type::kNone ? lane_bytes_of(actual) : lane_bytes_of(type);
        if (lanes != 0 && own != lanes)
            return wrong("the registers of a vector need one width; check the PTX text");
        lanes = own;
    }
    Address to;
    if (!address(operand(0), space, &to)) return false;
    if (to.space == AddressSpace::kParam)
        return wrong("a kernel cannot write its parameters; check the PTX text");
    const Handler handler = select_store(to.space, type, lanes, count, to.wide);
    if (handler == nullptr) return unsupported();
    if (release) emit(select_fence(), {}, 0);
    const uint32_t value = count == 1 ? list[0] : constant(0, 8);
    Draft& draft = emit(handler, {value, to.operand}, 0);
    draft.instruction.immediate = to.offset;
    if (count > 1) pool(draft, list, 0);
    return true;
}

bool FunctionDecoder::decode_atom() {
    Suffixes& suffixes = *suffixes_;
    const bool returns = suffixes.base() == "atom";
    if (suffixes.take("async")) return refuse(kNotSupported);
    const Space space = take_space(Space::kGeneric);
    for (const std::string_view order : {"relaxed", "acquire", "release", "acq_rel", "noftz"})
        suffixes.take(order);
    std::string operation;
    for (const std::string_view name : {"add", "min", "max", "inc", "dec", "exch", "cas", "and", "or", "xor"})
        if (operation.empty() && suffixes.take(name)) operation = name;
    take_cache_hints();
    const unsigned count = suffixes.take("v2") ? 2 : suffixes.take("v4") ? 4 : suffixes.take("v8") ? 8 : 1;
    const Type type = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (operation.empty() || bytes_of(type) < 2) return unsupported();
    const bool cas = operation == "cas";
    const size_t least = 2 + (returns ? 1 : 0) + (cas ? 1 : 0);
    if (!operands(least, least + 1) || !cache_policy_operand(least)) return false;
    if (type == Type::kB128) return atomic_wide(operation, space);
    const size_t at = returns ? 1 : 0;
    Address place;
    if (!address(operand(at), space, &place)) return false;
    if (place.space == AddressSpace::kLocal || place.space == AddressSpace::kParam) return unsupported();
    if (count > 1) {
        const Handler handler = select_atomic_vector(operation, type, place.wide);
        if (handler == nullptr || place.space != AddressSpace::kGeneric) return unsupported();
        const OperandText& values = operand(at + 1);
        if (values.elements.size() != count || (returns && operand(0).elements.size() != count))
            return wrong("the vector needs " + std::to_string(count) + " registers; check the PTX text");
        std::vector<uint32_t> list;
        for (unsigned i = 0; i < count; ++i) {
            uint32_t d = 0;
            if (returns ? !destination(operand(0).elements[i], type, &d) : false) return false;
            list.push_back(returns ? d : temporary(type));
        }
        for (unsigned i = 0; i < count; ++i) {
            uint32_t value = 0;
            if (!source(values.elements[i], type, &value)) return false;
            list.push_back(value);
        }
        Draft& draft = emit(handler, {place.operand}, 0);
        draft.instruction.immediate = place.offset;
        draft.instruction.flags = count;
        pool(draft, list, count);
        return true;
    }
    const Handler handler = select_atomic(operation, place.space, type, place.wide);
    if (handler == nullptr) return unsupported();
    uint32_t d = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    if (returns ? !destination(operand(0), type, &d) : false) return false;
    if (!returns) d = temporary(type);
    if (!source(operand(at + 1), type, &b)) return false;
    if (cas ? !source(operand(at + 2), type, &c) : false) return false;
    if (!cas) c = b;
    emit(handler, {d, place.operand, b, c}).instruction.immediate = place.offset;
    return true;
}

bool FunctionDecoder::decode_prefetch() {
    // hints on caches; createpolicy makes a value that nothing looks at
    if (suffixes_->base() == "createpolicy") {
        if (statement_->operands.empty()) return operands(1, 4);
        uint32_t d = 0;
        if (!destination(operand(0), Type::kB64, &d)) return false;
        emit(select_move(8), {d, constant(0, 8)});
        return true;
    }
    return operands(1, 2);
}

bool FunctionDecoder::decode_fence() {
    Suffixes& suffixes = *suffixes_;
    if (suffixes.take_prefix("proxy")) {
        // all proxies are one here; tensormap proxies take operands
        emit(select_fence(), {}, 0);
        return true;
    }
    for (const std::string_view word :
         {"sc", "acq_rel", "acquire", "release", "cta", "cluster", "gpu", "sys", "gl", "mbarrier_init",
          "sync_restrict::shared::cta", "sync_restrict::shared::cluster"})
        suffixes.take(word);
    if (!finished_suffixes() || !operands(0, 0)) return false;
    emit(select_fence(), {}, 0);
    return true;
}

bool FunctionDecoder::decode_cp() {
    Suffixes& suffixes = *suffixes_;
    if (suffixes.first() == "reduce") return refuse(kNotSupported);
    if (!suffixes.take("async")) return unsupported();
    if (suffixes.first() == "bulk") return refuse(kNotSupported);
    // copies are done at once, so there is nothing to wait for
    if (suffixes.take("commit_group")) return finished_suffixes() && operands(0, 0);
    if (suffixes.take("wait_all")) return finished_suffixes() && operands(0, 0);
    if (suffixes.take("wait_group")) return finished_suffixes() && operands(1, 1);
    if (suffixes.take("mbarrier")) {
        const bool noinc = suffixes.take("noinc");
        suffixes.take("arrive");
        const Space space = take_space(Space::kGeneric);
        suffixes.take("b64");
        if (!finished_suffixes() || !operands(1, 1)) return false;
        Address place;
        if (!address(operand(0), space, &place)) return false;
        // without noinc the pending count first grows by one, so that the arrival changes nothing
        if (!noinc) return true;
        const Handler handler = select_mbarrier("arrive", place.space, place.wide);
        if (handler == nullptr) return unsupported();
        emit(handler, {temporary(Type::kB64), place.operand, constant(1, 4), constant(0, 4)})
            .instruction.immediate = place.offset;
        return true;
    }
    suffixes.take("ca");
    suffixes.take("cg");
    if (!suffixes.take("shared") && !suffixes.take("shared::cta")) return unsupported();
    if (!suffixes.take("global")) return unsupported();
    while (suffixes.take_prefix("L2::")) {
    }
    if (!finished_suffixes() || !operands(3, 5)) return false;
    if (operand(2).kind != OperandText::Kind::kInteger ||
        (operand(2).bits != 4 && operand(2).bits != 8 && operand(2).bits != 16))
        return wrong("a copy has 4, 8 or 16 bytes; check the PTX text");
    const auto bytes = static_cast<uint32_t>(operand(2).bits);
    Address to;
    Address from;
    if (!address(operand(0), Space::kShared, &to) || !address(operand(1), Space::kGlobal, &from))
        return false;
    uint32_t size = constant(bytes, 4);
    if (statement_->operands.size() > 3) {
        const Type type = type_of(operand(3));
        if (type == Type::kPred) {
            uint32_t p = 0;
            bool negated = false;
            if (!predicate_source(operand(3), &p, &negated)) return false;
            size = temporary(Type::kB32);
            emit(select_selp(4), {size, constant(0, 4), constant(bytes, 4), p}).instruction.flags =
                negated ? 1u : 0u;
        } else if (type == Type::kNone || bytes_of(type) == 4) {
            if (!source(operand(3), Type::kU32, &size)) return false;
        }
    }
    // both addresses as 64-bit lanes
    uint32_t places[2] = {to.operand, from.operand};
    for (int i = 0; i < 2; ++i) {
        const Address& one = i == 0 ? to : from;
        if (one.wide) continue;
        places[i] = temporary(Type::kB64);
        emit(select_resize(true), {places[i], one.operand});
    }
    Draft& draft = emit(select_copy_async(),
                        {places[0], places[1], size, constant(static_cast<uint64_t>(to.offset), 8)}, 0);
    draft.instruction.immediate = from.offset;
    draft.instruction.flags = bytes;
    return true;
}

bool FunctionDecoder::decode_mbarrier() {
    Suffixes& suffixes = *suffixes_;
    std::string name(suffixes.take_any());
    if (suffixes.take("expect_tx")) name += ".expect_tx";
    if (suffixes.take("noComplete")) name += ".noComplete";
    const bool parity = suffixes.take("parity");
    if (parity) name += ".parity";
    for (const std::string_view word : {"relaxed", "acquire", "release", "cta", "cluster"})
        suffixes.take(word);
    const Space space = take_space(Space::kGeneric);
    suffixes.take("b64");
    if (!finished_suffixes()) return false;
    if (name == "pending_count") {
        const Handler handler = select_mbarrier(name, AddressSpace::kShared, true);
        return handler == nullptr ? unsupported() : simple(handler, {Type::kB32, Type::kB64});
    }
    const bool tests = name.starts_with("test_wait") || name.starts_with("try_wait");
    const bool arrives = name.starts_with("arrive");
    const size_t at = tests || (arrives && operand(0).kind != OperandText::Kind::kAddress) ? 1 : 0;
    if (!operands(at + 1, at + 3)) return false;
    Address place;
    if (!address(operand(at), space, &place)) return false;
    const Handler handler = select_mbarrier(name, place.space, place.wide);
    if (handler == nullptr) return unsupported();
    uint32_t d = 0;
    uint32_t value = constant(1, 4);
    if (tests) {
        if (!destination(operand(0), Type::kPred, &d)) return false;
        if (!operands(3, 4) || !source(operand(2), parity ? Type::kB32 : Type::kB64, &value)) return false;
    } else {
        if (at == 1 ? !destination(operand(0), Type::kB64, &d) : false) return false;
        if (at == 0) d = temporary(Type::kB64);
        if (statement_->operands.size() > at + 1 && !source(operand(at + 1), Type::kB32, &value))
            return false;
    }
    emit(handler, {d, place.operand, value, constant(0, 4)}).instruction.immediate = place.offset;
    return true;
}

}  // namespace bitfusion::soft
