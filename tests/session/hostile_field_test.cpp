// Every field of every message, one at a time: cut short anywhere, naming what is not there, counting what
// cannot be. The bodies are made from the description (message_shapes.gen.h), so a new message is tried
// without a word here. The worker answers with an error or ends the session; it stays small, and what it
// charged comes back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>

#include "session/live_objects.h"

namespace bitfusion::session_test {
namespace {

using msg::FieldShape;
using msg::MessageShape;
using msg::Sort;
using wire::Kind;

constexpr int kParts = 8;
constexpr uint64_t kMostGrowthKib = 1u << 20;

std::string malformed(const MessageShape& shape) { return std::string("malformed message ") + shape.name; }

uint64_t most_resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        uint64_t kib = 0;
        if (word == "VmHWM:" && status >> kib) return kib;
    }
    return 0;
}

class Shapes : public testing::TestWithParam<int> {
  protected:
    void SetUp() override { quiet(); }
    static std::vector<const MessageShape*> mine() {
        std::vector<const MessageShape*> mine;
        const auto all = msg::message_shapes();
        for (size_t i = static_cast<size_t>(GetParam()); i < all.size(); i += kParts) mine.push_back(&all[i]);
        return mine;
    }
};

class CutShort : public Shapes {};

// Nothing before the decoder looks at a body, so a session that has said nothing yet will do.
TEST_P(CutShort, EndsTheSession) {
    LiveObjects objects;
    ASSERT_TRUE(objects.open());
    for (const MessageShape* shape : mine()) {
        const Bytes whole = joined(objects.fields_of(*shape));
        const bool bulk = !shape->fields.empty() && shape->fields.back().sort == Sort::kBulk;
        const size_t fixed = whole.size() - (bulk ? objects.fields_of(*shape).back().size() : 0);
        for (size_t size = 0; size < fixed; ++size) {
            RawClient client;
            client.send(shape->id, Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)));
            ASSERT_FALSE(client.receive()) << shape->name << " of " << size << " bytes of " << fixed;
            ASSERT_EQ(client.end(), malformed(*shape)) << size << " bytes of " << fixed;
        }
        if (bulk) continue;
        Bytes longer = whole;
        longer.push_back(0);
        RawClient client;
        client.send(shape->id, longer);
        ASSERT_FALSE(client.receive()) << shape->name << " and one byte more";
        ASSERT_EQ(client.end(), malformed(*shape)) << "and one byte more";
    }
}

INSTANTIATE_TEST_SUITE_P(Parts, CutShort, testing::Range(0, kParts));

// What is wrong with a field, and whether the message may never succeed with it.
struct Wrong {
    Bytes bytes;
    bool refused = false;
};

std::vector<Wrong> wrongs_of(const FieldShape& field, LiveObjects& objects) {
    std::vector<Wrong> wrongs;
    const auto add = [&](uint64_t value, bool refused) {
        Bytes bytes = words(value);
        if (field.bytes != 0) bytes.resize(std::min<size_t>(field.bytes, bytes.size()));
        wrongs.push_back({bytes, refused});
    };
    static const uint64_t own[8] = {};  // of this process, which is the worker's too
    const uint64_t memory = objects.client().memory;
    switch (field.sort) {
        case Sort::kHandle: {
            const Kind other = field.kind == Kind::kEvent ? Kind::kStream : Kind::kEvent;
            add(objects.dead(field.kind), true);
            add(wire::make_name(field.kind, false, 0x7ffffff1u), true);
            add(objects.of(other), true);
            add(reinterpret_cast<uint64_t>(own), true);
            add(UINT64_MAX, true);
            add(0, false);
            break;
        }
        case Sort::kAddress:
            add(reinterpret_cast<uint64_t>(own), true);
            add(0x40, true);
            add(memory + RawClient::kBytes, true);
            add(memory - 1, true);
            add(UINT64_MAX, true);
            add(0, false);
            break;
        case Sort::kDevice:
            for (const uint64_t value :
                 {uint64_t{99}, uint64_t{kGpus}, uint64_t{INT32_MAX}, uint64_t{UINT32_MAX}})
                add(value, true);
            break;
        case Sort::kNewName:
            add(0, true);
            add(UINT64_MAX, true);
            add(objects.of(field.kind), true);
            add(wire::make_name(field.kind, true, 77), true);
            add(wire::make_name(field.kind == Kind::kEvent ? Kind::kStream : Kind::kEvent, false, 77), true);
            break;
        case Sort::kNumber:
            for (const uint64_t value :
                 {uint64_t{0}, uint64_t{2}, uint64_t{64}, uint64_t{0x7fffffff}, uint64_t{0x80000000},
                  uint64_t{UINT32_MAX}, uint64_t{1} << 32, uint64_t{1} << 61, uint64_t{1} << 63, UINT64_MAX})
                add(value, false);
            break;
        case Sort::kText:
        case Sort::kSized:
            for (const uint64_t length : {uint64_t{1} << 20, uint64_t{1} << 32, UINT64_MAX})
                wrongs.push_back({words(length), true});
            wrongs.push_back({words(uint64_t{4}, uint32_t{0xffffffff}), false});
            break;
        case Sort::kStruct:
        case Sort::kElements:
            break;  // their words are tried by WordsOf
        case Sort::kBulk:
            wrongs.push_back({Bytes(), false});
            wrongs.push_back({Bytes(3, 0xff), false});
            break;
    }
    return wrongs;
}

// A link's name is the program's own number; whether a session has it is all that there is to check.
bool any_name_will_do(const MessageShape& shape, const FieldShape& field) {
    return shape.id == msg::kId_LinkCreate && field.sort == Sort::kNewName;
}

class WrongFields : public Shapes {};

TEST_P(WrongFields, AreRefusedOrEndTheSession) {
    const uint64_t before = most_resident_kib();
    size_t tried = 0;
    size_t good = 0;
    for (const MessageShape* shape : mine()) {
        auto objects = std::make_unique<LiveObjects>();
        ASSERT_TRUE(objects->open());
        const auto again = [&] {
            objects = nullptr;
            objects = std::make_unique<LiveObjects>();
            return objects->open();
        };
        const std::vector<Bytes> model = objects->fields_of(*shape);
        const CUresult usual = objects->outcome(*shape, joined(model));
        if (usual == CUDA_SUCCESS) ++good;
        ASSERT_TRUE(again()) << shape->name;
        for (size_t at = 0; at < shape->fields.size(); ++at) {
            const FieldShape& field = shape->fields[at];
            std::vector<Bytes> fields = objects->fields_of(*shape);
            for (size_t which = 0;; ++which) {
                const std::vector<Wrong> wrongs = wrongs_of(field, *objects);
                if (which == wrongs.size()) break;
                fields = objects->fields_of(*shape);
                fields[at] =
                    field.nullable ? joined({words(uint8_t{1}), wrongs[which].bytes}) : wrongs[which].bytes;
                const CUresult result = objects->outcome(*shape, joined(fields));
                ++tried;
                if (wrongs[which].refused && usual == CUDA_SUCCESS && !any_name_will_do(*shape, field)) {
                    EXPECT_NE(result, CUDA_SUCCESS)
                        << shape->name << ", " << field.name << ", wrong " << which;
                }
                if (result == CUDA_SUCCESS || result == CUDA_ERROR_UNKNOWN) {
                    ASSERT_TRUE(again())
                        << "after " << shape->name << ", " << field.name << ", wrong " << which;
                }
            }
        }
    }
    EXPECT_GT(tried, 100u);
    EXPECT_GT(good, 3u)
        << "hardly a message succeeds as it should be: the others say nothing of their fields";
    EXPECT_LT(most_resident_kib() - before, kMostGrowthKib);
}

INSTANTIATE_TEST_SUITE_P(Parts, WrongFields, testing::Range(0, kParts));

// Structs and arrays: each of their words in turn.
class WordsOf : public Shapes {};

TEST_P(WordsOf, StructsAndArraysCrashNothing) {
    size_t tried = 0;
    for (const MessageShape* shape : mine()) {
        auto objects = std::make_unique<LiveObjects>();
        ASSERT_TRUE(objects->open());
        for (size_t at = 0; at < shape->fields.size(); ++at) {
            const FieldShape& field = shape->fields[at];
            if (field.sort != Sort::kStruct && field.sort != Sort::kElements) continue;
            const uint64_t size = objects->fields_of(*shape)[at].size();
            const uint64_t first = field.nullable ? 1 : 0;
            for (uint64_t word = first; word + 4 <= std::min<uint64_t>(size, 256); word += 4) {
                for (const uint64_t value : {uint64_t{1}, uint64_t{3}, uint64_t{UINT32_MAX}, UINT64_MAX,
                                             objects->of(Kind::kArray), objects->client().memory}) {
                    std::vector<Bytes> fields = objects->fields_of(*shape);
                    memcpy(fields[at].data() + word, &value, std::min<uint64_t>(8, size - word));
                    const CUresult result = objects->outcome(*shape, joined(fields));
                    ++tried;
                    if (result != CUDA_SUCCESS && result != CUDA_ERROR_UNKNOWN) continue;
                    objects = nullptr;
                    objects = std::make_unique<LiveObjects>();
                    ASSERT_TRUE(objects->open())
                        << "after " << shape->name << ", " << field.name << " + " << word;
                }
            }
        }
    }
    EXPECT_GT(tried, 50u);
}

INSTANTIATE_TEST_SUITE_P(Parts, WordsOf, testing::Range(0, kParts));

}  // namespace
}  // namespace bitfusion::session_test
