// Conversation: what a hostile client says to a worker, made from the fuzzer's input.
//
// Each message is chosen from the description (message_shapes.gen.h) and written field by field, so that most
// get past the decoder: where an object's name belongs there is mostly one of its kind, where an address
// belongs mostly one in the session's memory. What the worker answers is searched for names and addresses to
// use further on. The same input makes the same conversation. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "fuzz/input.h"
#include "message_shapes.gen.h"

namespace bitfusion::fuzz {

using Bytes = std::vector<uint8_t>;

class Conversation {
  public:
    // `images`: code that a client may load, besides what the input makes up.
    Conversation(Input input, std::span<const std::string_view> images);

    // The next frame; empty: the client says nothing for now, or nothing more when over().
    Bytes next();
    bool over() const;
    // What the worker sent: replies and announcements, whole or in pieces.
    void hear(std::span<const uint8_t> bytes);

  private:
    static constexpr size_t kMostMessages = 48;
    static constexpr size_t kKinds = 32;

    Bytes opening();
    Bytes message(const msg::MessageShape& shape);
    Bytes frame(uint16_t id, uint32_t context, const Bytes& body);
    void write_field(const msg::FieldShape& field, const uint64_t* values, Bytes* body, uint64_t* value);
    void write_words(size_t bytes, Bytes* body);
    void write_blob(Bytes* body, bool with_length);
    uint64_t number();
    uint64_t word();
    uint64_t handle(wire::Kind kind);
    uint64_t fresh_name(wire::Kind kind);
    uint64_t address();
    void learn(uint64_t word);

    Input input_;
    std::span<const std::string_view> images_;
    size_t opened_ = 0;
    size_t messages_ = 0;
    uint32_t call_ = 0;
    uint32_t last_name_ = 1024;
    std::array<std::vector<uint64_t>, kKinds> names_;
    std::vector<uint64_t> memory_;
    Bytes heard_;
};

}  // namespace bitfusion::fuzz
