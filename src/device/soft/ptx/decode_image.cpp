// Texture and surface instructions of the unified mode: one operand names texture and sampler ("PTX ISA",
// 9.7.9 and 9.7.10).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

bool FunctionDecoder::take_geometry(ImageGeometry* geometry) {
    constexpr std::pair<std::string_view, ImageGeometry> kNames[] = {{"1d", ImageGeometry::k1d},
                                                                     {"2d", ImageGeometry::k2d},
                                                                     {"3d", ImageGeometry::k3d},
                                                                     {"a1d", ImageGeometry::k1dLayered},
                                                                     {"a2d", ImageGeometry::k2dLayered},
                                                                     {"cube", ImageGeometry::kCube},
                                                                     {"acube", ImageGeometry::kCubeLayered}};
    for (const auto& [name, value] : kNames) {
        if (!suffixes_->take(name)) continue;
        *geometry = value;
        return true;
    }
    return unsupported();
}

bool FunctionDecoder::vector_sources(const OperandText& text, Type type, size_t count,
                                     std::vector<uint32_t>* list) {
    const bool vector = text.kind == OperandText::Kind::kVector;
    if (vector ? text.elements.size() < count : count != 1)
        return wrong("a vector has too few elements; check the PTX text");
    for (size_t i = 0; i < count; ++i) {
        uint32_t one = 0;
        if (!source(vector ? text.elements[i] : text, type, &one)) return false;
        list->push_back(one);
    }
    return true;
}

// [image, {coordinates}]: what PTX pads the coordinates with is not looked at.
bool FunctionDecoder::image_place(const OperandText& text, ImageGeometry geometry, bool whole,
                                  uint32_t* image, std::vector<uint32_t>* list) {
    if (text.kind != OperandText::Kind::kAddress || text.bits != 0)
        return wrong("an image in brackets is due here; check the PTX text");
    if (text.elements.size() > 1) return unsupported();  // a sampler of its own
    if (text.based_on_register) {
        if (bytes_of(registers_[text.reg]) != 8)
            return wrong("an image is named by 64 bits; check the PTX text");
        *image = text.reg;
    } else {
        if (text.name.empty()) return wrong("an image is named by a register; check the PTX text");
        if (!symbol_address(text, 8, image)) return false;
    }
    if (list == nullptr) return text.elements.empty() || wrong("no coordinates are due here");
    if (text.elements.empty()) return wrong("coordinates are missing; check the PTX text");
    const OperandText& place = text.elements.front();
    const size_t count = coordinate_count(geometry);
    if (!has_layer(geometry)) return vector_sources(place, whole ? Type::kB32 : Type::kF32, count, list);
    if (place.kind != OperandText::Kind::kVector || place.elements.size() < count)
        return wrong("coordinates are missing; check the PTX text");
    for (size_t i = 0; i < count; ++i) {
        uint32_t one = 0;
        if (!source(place.elements[i], whole || i == 0 ? Type::kB32 : Type::kF32, &one)) return false;
        list->push_back(one);
    }
    return true;
}

// {a, b, c, d} or {a, b, c, d}|p, where p says that all texels are resident: always, here.
bool FunctionDecoder::texture_results(const OperandText& text, Type type, std::vector<uint32_t>* list) {
    const bool pair = text.kind == OperandText::Kind::kPair;
    const OperandText& vector = pair ? text.elements[0] : text;
    if (pair) {
        uint32_t resident = 0;
        if (!destination(text.elements[1], Type::kPred, &resident)) return false;
        const uint32_t all = constant(kAllLanes, 4);
        emit(select_predicate("or"), {resident, all, all});
    }
    const size_t count = type == Type::kF16x2 ? 2 : 4;
    if (vector.kind != OperandText::Kind::kVector || vector.elements.size() != count)
        return wrong("has another number of results; check the PTX text");
    for (const OperandText& element : vector.elements) {
        uint32_t one = 0;
        if (!destination(element, type, &one)) return false;
        list->push_back(one);
    }
    return true;
}

// The last operand: whole numbers are an offset; a float would be a depth to compare with.
bool FunctionDecoder::texel_offset(const OperandText& text, TextureForm* form, std::vector<uint32_t>* list) {
    const bool cube = form->geometry == ImageGeometry::kCube || form->geometry == ImageGeometry::kCubeLayered;
    const bool vector = text.kind == OperandText::Kind::kVector;
    if (!vector && text.kind != OperandText::Kind::kRegister && text.kind != OperandText::Kind::kInteger)
        return unsupported();
    if (cube || (!vector && type_of(text) == Type::kF32)) return unsupported();
    form->offset = true;
    return vector_sources(text, Type::kS32, gradient_count(form->geometry), list);
}

bool FunctionDecoder::decode_tex() {
    Suffixes& suffixes = *suffixes_;
    TextureForm form;
    if (suffixes.take("level"))
        form.level = TextureLevel::kGiven;
    else if (suffixes.take("grad"))
        form.level = TextureLevel::kGradients;
    else
        suffixes.take("base");
    const bool pairs = suffixes.take("v2");
    if (!pairs && !suffixes.take("v4")) return unsupported();
    if (!take_geometry(&form.geometry)) return false;
    form.result = suffixes.take_type();
    const Type coordinate = suffixes.take_type();
    if (!finished_suffixes()) return false;
    form.whole = coordinate == Type::kS32;
    const bool cube = form.geometry == ImageGeometry::kCube || form.geometry == ImageGeometry::kCubeLayered;
    if ((!form.whole && coordinate != Type::kF32) || (form.whole && cube)) return unsupported();
    const bool words = form.result == Type::kU32 || form.result == Type::kS32 || form.result == Type::kF32;
    if (pairs ? form.result != Type::kF16x2 : !words && form.result != Type::kF16) return unsupported();
    const size_t expected = form.level == TextureLevel::kBase    ? 2
                            : form.level == TextureLevel::kGiven ? 3
                                                                 : 4;
    if (statement_->operands.size() > expected + 1) return unsupported();
    if (!operands(expected, expected + 1)) return false;
    std::vector<uint32_t> list;
    if (!texture_results(operand(0), form.result, &list)) return false;
    const auto results = static_cast<uint32_t>(list.size());
    uint32_t image = 0;
    if (!image_place(operand(1), form.geometry, form.whole, &image, &list)) return false;
    if (form.level == TextureLevel::kGiven) {
        uint32_t level = 0;
        if (!source(operand(2), form.whole ? Type::kB32 : Type::kF32, &level)) return false;
        list.push_back(level);
    }
    for (size_t i = 2; i < expected && form.level == TextureLevel::kGradients; ++i)
        if (!vector_sources(operand(i), Type::kF32, gradient_count(form.geometry), &list)) return false;
    if (statement_->operands.size() > expected && !texel_offset(operand(expected), &form, &list))
        return false;
    Draft& draft = emit(select_texture(), {image}, 0);
    draft.instruction.flags = texture_flags(form);
    pool(draft, list, results);
    return true;
}

bool FunctionDecoder::decode_tld4() {
    Suffixes& suffixes = *suffixes_;
    TextureForm form;
    form.level = TextureLevel::kGather;
    for (const std::string_view name : {"r", "g", "b", "a"}) {
        if (suffixes.take(name)) break;
        ++form.channel;
    }
    if (form.channel == 4 || !suffixes.take("v4") || !take_geometry(&form.geometry)) return unsupported();
    form.result = suffixes.take_type();
    const Type coordinate = suffixes.take_type();
    if (!finished_suffixes()) return false;
    const bool words = form.result == Type::kU32 || form.result == Type::kS32 || form.result == Type::kF32;
    const bool flat = form.geometry == ImageGeometry::k2d || form.geometry == ImageGeometry::k2dLayered ||
                      form.geometry == ImageGeometry::kCube || form.geometry == ImageGeometry::kCubeLayered;
    if (!words || !flat || coordinate != Type::kF32 || statement_->operands.size() > 3) return unsupported();
    if (!operands(2, 3)) return false;
    std::vector<uint32_t> list;
    uint32_t image = 0;
    if (!texture_results(operand(0), form.result, &list)) return false;
    if (!image_place(operand(1), form.geometry, false, &image, &list)) return false;
    if (statement_->operands.size() > 2 && !texel_offset(operand(2), &form, &list)) return false;
    Draft& draft = emit(select_texture(), {image}, 0);
    draft.instruction.flags = texture_flags(form);
    pool(draft, list, 4);
    return true;
}

bool FunctionDecoder::decode_image_query() {
    Suffixes& suffixes = *suffixes_;
    const bool leveled = suffixes.take("level");
    const Handler handler = select_image_query(suffixes.take_any());
    if (!suffixes.take("b32") || handler == nullptr) return unsupported();
    if (!finished_suffixes() || !operands(leveled ? 3 : 2, leveled ? 3 : 2)) return false;
    std::vector<uint32_t> list(1);
    uint32_t image = 0;
    if (!destination(operand(0), Type::kB32, list.data())) return false;
    if (!image_place(operand(1), ImageGeometry::k1d, true, &image, nullptr)) return false;
    if (leveled && !vector_sources(operand(2), Type::kB32, 1, &list)) return false;
    Draft& draft = emit(handler, {image}, 0);
    draft.instruction.flags = leveled ? 1 : 0;
    pool(draft, list, 1);
    return true;
}

bool FunctionDecoder::take_surface(SurfaceForm* form, bool* formatted) {
    Suffixes& suffixes = *suffixes_;
    *formatted = suffixes.take("p");
    if (!*formatted && !suffixes.take("b")) return unsupported();
    if (!take_geometry(&form->geometry)) return false;
    if (form->geometry == ImageGeometry::kCube || form->geometry == ImageGeometry::kCubeLayered)
        return unsupported();
    form->count = suffixes.take("v2") ? 2 : suffixes.take("v4") ? 4 : 1;
    take_cache_hints();
    if (suffixes.take("clamp"))
        form->bounds = SurfaceBounds::kClamp;
    else if (suffixes.take("zero"))
        form->bounds = SurfaceBounds::kZero;
    else
        suffixes.take("trap");
    return true;
}

bool FunctionDecoder::decode_suld() {
    SurfaceForm form;
    bool formatted = false;
    if (!take_surface(&form, &formatted)) return false;
    const Type type = suffixes_->take_type();
    if (!finished_suffixes()) return false;
    form.bytes = bytes_of(type);
    if (formatted || !is_bits(type) || form.bytes > 8) return unsupported();
    if (!operands(2, 2)) return false;
    const bool vector = operand(0).kind == OperandText::Kind::kVector;
    if (vector ? operand(0).elements.size() != form.count : form.count != 1)
        return wrong("has another number of results; check the PTX text");
    std::vector<uint32_t> list(form.count);
    for (size_t i = 0; i < form.count; ++i) {
        if (!destination(vector ? operand(0).elements[i] : operand(0), type, &list[i], true)) return false;
        if (lane_bytes_of(registers_[list[i]]) != lane_bytes_of(type)) return unsupported();
    }
    uint32_t image = 0;
    if (!image_place(operand(1), form.geometry, true, &image, &list)) return false;
    Draft& draft = emit(select_surface_load(), {image}, 0);
    draft.instruction.flags = surface_flags(form);
    pool(draft, list, form.count);
    return true;
}

bool FunctionDecoder::decode_sust() {
    SurfaceForm form;
    bool formatted = false;
    if (!take_surface(&form, &formatted)) return false;
    const Type type = suffixes_->take_type();
    if (!finished_suffixes()) return false;
    form.bytes = bytes_of(type);
    if (!is_bits(type) || form.bytes > 8 || (formatted && type != Type::kB32)) return unsupported();
    if (!operands(2, 2)) return false;
    const OperandText& values = operand(1);
    if (values.kind == OperandText::Kind::kVector ? values.elements.size() != form.count : form.count != 1)
        return wrong("has another number of values; check the PTX text");
    std::vector<uint32_t> list;
    for (size_t i = 0; i < form.count; ++i) {
        const bool vector = values.kind == OperandText::Kind::kVector;
        const OperandText& value = vector ? values.elements[i] : values;
        uint32_t one = 0;
        if (!source(value, type, &one, true)) return false;
        const Type own = type_of(value);
        if (own != Type::kNone && lane_bytes_of(own) != lane_bytes_of(type)) return unsupported();
        list.push_back(one);
    }
    uint32_t image = 0;
    if (!image_place(operand(0), form.geometry, true, &image, &list)) return false;
    Draft& draft = emit(select_surface_store(formatted), {image}, 0);
    draft.instruction.flags = surface_flags(form);
    pool(draft, list, 0);
    return true;
}

bool FunctionDecoder::decode_sured() {
    SurfaceForm form;
    bool formatted = false;
    // the operation comes before the geometry, and is no suffix that another part would take
    std::string operation;
    for (const std::string_view word : {"add", "min", "max", "and", "or"})
        if (suffixes_->take(word)) operation = word;
    if (!take_surface(&form, &formatted)) return false;
    const Type type = suffixes_->take_type();
    if (!finished_suffixes()) return false;
    const Handler handler = select_surface_reduction(operation, type, formatted);
    if (handler == nullptr || form.count != 1) return unsupported();
    if (!operands(2, 2)) return false;
    uint32_t image = 0;
    std::vector<uint32_t> list;
    if (!image_place(operand(0), form.geometry, true, &image, &list)) return false;
    uint32_t value = 0;
    if (!vector_sources(operand(1), type, 1, &list)) return false;
    value = list.back();
    list.pop_back();
    form.bytes = bytes_of(type);
    Draft& draft = emit(handler, {image, value}, 0);
    draft.instruction.flags = surface_flags(form);
    pool(draft, list, 0);
    return true;
}

}  // namespace bitfusion::soft
