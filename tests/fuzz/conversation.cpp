#include "fuzz/conversation.h"

#include <algorithm>
#include <cstring>

#include "messages.gen.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace bitfusion::fuzz {
namespace {

using msg::FieldShape;
using msg::MessageShape;
using msg::Sort;
using wire::Kind;

constexpr uint64_t kContext = wire::make_name(Kind::kContext, false, 1);
constexpr uint64_t kAllocated = 65536;
constexpr uint64_t kMostElements = 512;
constexpr uint64_t kFirstAddress = uint64_t{0x2000} << 32;  // where the software GPU has its memory
constexpr uint64_t kLastAddress = uint64_t{0x4000} << 32;
constexpr uint64_t kEdges[] = {0,
                               1,
                               2,
                               3,
                               4,
                               8,
                               31,
                               32,
                               33,
                               64,
                               255,
                               256,
                               1024,
                               1025,
                               4095,
                               4096,
                               65535,
                               65536,
                               1 << 20,
                               1 << 21,
                               INT32_MAX,
                               1u << 31,
                               UINT32_MAX,
                               1ull << 32,
                               1ull << 40,
                               1ull << 62,
                               INT64_MAX,
                               1ull << 63,
                               UINT64_MAX - 4095,
                               UINT64_MAX - 1,
                               UINT64_MAX};
// Sizes of structs that travel as bytes: blocks, sides, options, parameters of nodes, attributes of launches.
constexpr size_t kSizes[] = {0, 4, 8, 12, 16, 24, 32, 40, 48, 64, 72, 80, 88, 128, 160, 256, 512};
constexpr std::string_view kWords[] = {"*", "k", "spin", "g", "GPU-", "0", "1,0", "fill", ""};

void put(Bytes* body, const void* data, size_t bytes) {
    const auto* at = static_cast<const uint8_t*>(data);
    body->insert(body->end(), at, at + bytes);
}

}  // namespace

Conversation::Conversation(Input input, std::span<const std::string_view> images)
    : input_(input), images_(images) {}

bool Conversation::over() const {
    return opened_ != SIZE_MAX ? false : input_.empty() || messages_ >= kMostMessages;
}

void Conversation::learn(uint64_t word) {
    if (wire::is_name(word)) {
        auto& known = names_[static_cast<size_t>(wire::kind_of(word)) % kKinds];
        if (known.size() < 64 && std::find(known.begin(), known.end(), word) == known.end())
            known.push_back(word);
    } else if (word >= kFirstAddress && word < kLastAddress) {
        if (memory_.size() < 64 && std::find(memory_.begin(), memory_.end(), word) == memory_.end())
            memory_.push_back(word);
    }
}

void Conversation::hear(std::span<const uint8_t> bytes) {
    heard_.insert(heard_.end(), bytes.begin(), bytes.end());
    size_t at = 0;
    wire::ReplyHead head{};
    while (heard_.size() - at >= sizeof head) {
        memcpy(&head, heard_.data() + at, sizeof head);
        if (heard_.size() - at - sizeof head < head.bytes) break;
        at += sizeof head;
        // The facts of the devices are long and name nothing.
        for (size_t i = 0; head.bytes <= 65536 && i + 8 <= head.bytes; i += 4) {
            uint64_t word = 0;
            memcpy(&word, heard_.data() + at + i, sizeof word);
            if (head.id != msg::kId_CopyOut && head.id != msg::kId_CopyOutData) learn(word);
        }
        at += head.bytes;
    }
    heard_.erase(heard_.begin(), heard_.begin() + static_cast<ptrdiff_t>(at));
}

Bytes Conversation::frame(uint16_t id, uint32_t context, const Bytes& body) {
    const wire::RequestHead head{static_cast<uint32_t>(body.size()), id, 0, context, ++call_};
    Bytes bytes;
    put(&bytes, &head, sizeof head);
    put(&bytes, body.data(), body.size());
    return bytes;
}

// A session with something of everything, as most programs make it: what the first byte of the input asks
// for.
Bytes Conversation::opening() {
    const auto plain = [&](const auto& m, std::string_view bulk = {}) {
        Bytes body(m.size());
        wire::Writer writer(body.data(), body.size());
        m.encode(writer);
        put(&body, bulk.data(), bulk.size());
        return frame(m.kId, static_cast<uint32_t>(kContext), body);
    };
    const auto words = [&](uint16_t id, const auto&... values) {
        Bytes body;
        (put(&body, &values, sizeof values), ...);
        return frame(id, static_cast<uint32_t>(kContext), body);
    };
    const auto fresh = [&](Kind kind) {
        const uint64_t name = fresh_name(kind);
        learn(name);
        return name;
    };
    switch (opened_++) {
        case 0:
            return plain(msg::Attach{"*"});
        case 1:
            learn(kContext);
            return plain(msg::PrimaryRetain{0, kContext});
        case 2:
            return words(msg::kId_cuMemAlloc_v2, kAllocated);
        case 3:
            return words(msg::kId_cuStreamCreateWithPriority, uint32_t{1}, int32_t{0}, fresh(Kind::kStream));
        case 4:
            return words(msg::kId_cuEventCreate, uint32_t{0}, fresh(Kind::kEvent));
        case 5: {
            msg::ModuleLoad load;
            const uint64_t size = images_[0].size();
            load.name = fresh(Kind::kModule);
            load.sizes = {reinterpret_cast<const uint8_t*>(&size), sizeof size};
            return plain(load, images_[0]);
        }
        case 6:
            return plain(msg::FunctionGet{names_[static_cast<size_t>(Kind::kModule)][0], "k"});
        case 7:
            return words(msg::kId_cuGraphCreate, uint32_t{0});
        default:
            opened_ = SIZE_MAX;
            return {};
    }
}

Bytes Conversation::next() {
    if (opened_ != SIZE_MAX) {
        Bytes said = opening();
        if (!said.empty()) return said;
    }
    if (over()) return {};
    ++messages_;
    const auto shapes = msg::message_shapes();
    const auto choice = input_.take<uint8_t>();
    const auto which = input_.take<uint8_t>();
    if (choice < 16) return {};
    if (choice < 20) {  // no shape at all
        Bytes body;
        write_words(input_.take<uint8_t>(), &body);
        return frame(static_cast<uint16_t>(which), static_cast<uint32_t>(kContext), body);
    }
    return message(shapes[(which + (choice < 128 ? 0 : 256u)) % shapes.size()]);
}

Bytes Conversation::message(const MessageShape& shape) {
    Bytes body;
    uint64_t values[64] = {};
    for (size_t i = 0; i < shape.fields.size() && i < std::size(values); ++i)
        write_field(shape.fields[i], values, &body, &values[i]);
    const auto contexts = std::span<const uint64_t>(names_[static_cast<size_t>(Kind::kContext)]);
    const auto choice = input_.take<uint8_t>();
    uint64_t context = kContext;
    if (choice > 200 && !contexts.empty()) context = contexts[choice % contexts.size()];
    if (choice > 250) context = choice & 3;
    Bytes said = frame(shape.id, static_cast<uint32_t>(context), body);
    if (choice == 200 && said.size() > sizeof(wire::RequestHead)) {  // cut short, and says so
        const uint32_t bytes = static_cast<uint32_t>(body.size()) - 1;
        memcpy(said.data(), &bytes, sizeof bytes);
        said.pop_back();
    }
    return said;
}

uint64_t Conversation::number() {
    const auto choice = input_.take<uint8_t>();
    if (choice < 128) return choice & 0xf;
    if (choice < 192) return kEdges[choice % std::size(kEdges)];
    if (choice < 240) return input_.take<uint16_t>();
    return input_.take<uint64_t>();
}

uint64_t Conversation::address() {
    const auto choice = input_.take<uint8_t>();
    if (memory_.empty() || choice >= 224) return word();
    const uint64_t base = memory_[choice % memory_.size()];
    if (choice < 128) return base;
    return base + (choice < 160   ? input_.take<uint16_t>()
                   : choice < 192 ? kAllocated - (choice & 15)
                                  : choice & 15);
}

uint64_t Conversation::handle(Kind kind) {
    const auto choice = input_.take<uint8_t>();
    const auto& known = names_[static_cast<size_t>(kind) % kKinds];
    if (choice < 216 && !known.empty()) return known[choice % known.size()];
    if (choice < 236) return 0;
    return word();
}

uint64_t Conversation::fresh_name(Kind kind) { return wire::make_name(kind, false, ++last_name_); }

uint64_t Conversation::word() {
    const auto choice = input_.take<uint8_t>();
    if (choice < 96) return number();
    if (choice < 128 && !memory_.empty()) return memory_[choice % memory_.size()];
    if (choice < 224) {
        const auto& known = names_[(choice - 128u) % 20];
        if (!known.empty()) return known[input_.take<uint8_t>() % known.size()];
        return wire::make_name(static_cast<Kind>((choice - 128u) % 20), choice < 160, choice & 7);
    }
    return input_.take<uint64_t>();
}

void Conversation::write_words(size_t bytes, Bytes* body) {
    for (size_t at = 0; at < bytes;) {
        const auto choice = input_.take<uint8_t>();
        const uint64_t value = choice < 128 ? 0 : choice < 160 ? 1 : choice < 192 ? address() : word();
        const size_t width = std::min<size_t>(choice & 1 ? 4 : 8, bytes - at);
        put(body, &value, width);
        at += width;
    }
}

// Bytes of any meaning: made of words, made of the input, or an image.
void Conversation::write_blob(Bytes* body, bool with_length) {
    const auto choice = input_.take<uint8_t>();
    Bytes blob;
    if (choice < 32) {
        const std::string_view image = images_[choice % images_.size()];
        put(&blob, image.data(), image.size());
    } else if (choice < 192) {
        write_words(kSizes[choice % std::size(kSizes)], &blob);
    } else {
        const auto raw = input_.take_bytes(choice == 255 ? 4096 : choice - 192u);
        blob.assign(raw.begin(), raw.end());
    }
    uint64_t length = blob.size();
    if (choice == 100) length = number();  // a lie
    if (with_length) put(body, &length, sizeof length);
    put(body, blob.data(), blob.size());
}

void Conversation::write_field(const FieldShape& field, const uint64_t* values, Bytes* body,
                               uint64_t* value) {
    if (field.nullable) {
        const uint8_t given = input_.take<uint8_t>() < 160 ? 1 : 0;
        body->push_back(given);
        if (given == 0) return;
    }
    switch (field.sort) {
        case Sort::kNumber:
            *value = number();
            break;
        case Sort::kDevice:
            *value = input_.take<uint8_t>() % 5;
            break;
        case Sort::kHandle:
            *value = handle(field.kind);
            break;
        case Sort::kAddress:
            *value = address();
            break;
        case Sort::kNewName:
            *value = input_.take<uint8_t>() < 240 ? fresh_name(field.kind) : word();
            learn(*value);
            break;
        case Sort::kStruct:
            return write_words(field.bytes, body);
        case Sort::kElements: {
            const uint64_t count = std::min(field.count(values), kMostElements);
            if (field.kind == Kind::kNone) return write_words(count * field.bytes, body);
            for (uint64_t i = 0; i < count; ++i) {
                const uint64_t name = handle(field.kind);
                put(body, &name, sizeof name);
            }
            return;
        }
        case Sort::kText: {
            const auto choice = input_.take<uint8_t>();
            if (choice >= 192) return write_blob(body, true);
            const std::string_view text = kWords[choice % std::size(kWords)];
            const uint64_t length = text.size();
            put(body, &length, sizeof length);
            return put(body, text.data(), text.size());
        }
        case Sort::kSized:
            return write_blob(body, true);
        case Sort::kBulk:
            return write_blob(body, false);
    }
    put(body, value, std::min<size_t>(field.bytes, sizeof *value));
    if (field.bytes < sizeof *value) *value &= (uint64_t{1} << (8 * field.bytes)) - 1;
}

}  // namespace bitfusion::fuzz
