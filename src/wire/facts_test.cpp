#include "wire/facts.h"

#include <gtest/gtest.h>

#include <random>

#include "wire/names.h"

namespace bitfusion::wire {
namespace {

std::vector<DeviceFacts> some_devices() {
    DeviceFacts d;
    d.name = "a device";
    d.uuid = {1, 2, 3};
    d.uuid_second = {4, 5, 6};
    d.luid = {7};
    d.node_mask = 8;
    d.luid_result = 0;
    d.total_bytes = uint64_t{80} << 30;
    d.pci_bus = "0000:65:00.0";
    d.attributes = {{0, 1}, {801, 0}, {0, -1}};
    DeviceFacts other = d;
    other.name.clear();
    other.attributes.clear();
    return {d, other};
}

std::vector<FunctionFacts> some_functions() {
    FunctionFacts f;
    f.name = make_name(Kind::kFunction, true, 1);
    f.symbol = "_Z3addPfi";
    f.parameters = {{0, 8}, {8, 4}};
    f.attributes = {{0, 1024}, {0, 16}};
    FunctionFacts plain;
    plain.symbol = "plain";
    return {f, plain};
}

TEST(Facts, OfDevicesComeBack) {
    const auto bytes = encode(some_devices());
    Reader r(bytes);
    std::vector<DeviceFacts> got;
    ASSERT_TRUE(decode(r, &got));
    EXPECT_TRUE(r.done());
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].name, "a device");
    EXPECT_EQ(got[0].uuid, some_devices()[0].uuid);
    EXPECT_EQ(got[0].uuid_second, some_devices()[0].uuid_second);
    EXPECT_EQ(got[0].luid, some_devices()[0].luid);
    EXPECT_EQ(got[0].node_mask, 8u);
    EXPECT_EQ(got[0].luid_result, 0);
    EXPECT_EQ(got[0].total_bytes, uint64_t{80} << 30);
    EXPECT_EQ(got[0].pci_bus, "0000:65:00.0");
    ASSERT_EQ(got[0].attributes.size(), 3u);
    EXPECT_EQ(got[0].attributes[1].result, 801);
    EXPECT_EQ(got[0].attributes[2].value, -1);
    EXPECT_EQ(got[1].name, "");
    EXPECT_TRUE(got[1].attributes.empty());
}

TEST(Facts, OfFunctionsComeBack) {
    const auto bytes = encode(some_functions());
    Reader r(bytes);
    std::vector<FunctionFacts> got;
    ASSERT_TRUE(decode(r, &got));
    EXPECT_TRUE(r.done());
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].name, make_name(Kind::kFunction, true, 1));
    EXPECT_EQ(got[0].symbol, "_Z3addPfi");
    ASSERT_EQ(got[0].parameters.size(), 2u);
    EXPECT_EQ(got[0].parameters[1].offset, 8u);
    EXPECT_EQ(got[0].parameters[1].size, 4u);
    EXPECT_EQ(got[0].attributes[1].value, 16);
    EXPECT_EQ(got[1].symbol, "plain");
}

template <typename Fact>
void expect_every_cut_is_refused(const std::vector<Fact>& facts) {
    const auto bytes = encode(facts);
    for (size_t length = 0; length < bytes.size(); ++length) {
        Reader r(bytes.data(), length);
        std::vector<Fact> got;
        EXPECT_FALSE(decode(r, &got)) << length;
    }
}

TEST(Facts, CutAnywhereAreRefused) {
    expect_every_cut_is_refused(some_devices());
    expect_every_cut_is_refused(some_functions());
}

TEST(Facts, ACountThatLiesAllocatesNothing) {
    std::vector<uint8_t> bytes = encode(some_functions());
    bytes[0] = bytes[1] = bytes[2] = bytes[3] = 0xff;  // four thousand million functions in a few bytes
    Reader r(bytes);
    std::vector<FunctionFacts> got;
    EXPECT_FALSE(decode(r, &got));
    EXPECT_LE(got.size(), 3u);
}

TEST(Facts, BytesOfAnyKindDoNotConfuse) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 20000; ++i) {
        std::vector<uint8_t> bytes = i % 2 == 0 ? encode(some_devices()) : encode(some_functions());
        for (int k = 0; k < 3; ++k) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
        Reader devices(bytes);
        std::vector<DeviceFacts> some;
        decode(devices, &some);
        Reader functions(bytes);
        std::vector<FunctionFacts> others;
        decode(functions, &others);
        for (const FunctionFacts& f : others)
            ASSERT_LE(f.parameters.size() * sizeof(f.parameters[0]) + f.symbol.size(), bytes.size());
        for (const DeviceFacts& d : some) ASSERT_LE(d.name.size() + d.pci_bus.size(), bytes.size());
    }
}

TEST(Names, HoldKindMakerAndCounter) {
    const uint64_t mine = make_name(Kind::kStream, false, 12);
    const uint64_t theirs = make_name(Kind::kStream, true, 12);
    EXPECT_NE(mine, theirs);
    EXPECT_EQ(kind_of(mine), Kind::kStream);
    EXPECT_EQ(kind_of(theirs), Kind::kStream);
    EXPECT_FALSE(named_by_worker(mine));
    EXPECT_TRUE(named_by_worker(theirs));
    EXPECT_TRUE(is_name(mine));
    EXPECT_NE(make_name(Kind::kStream, false, 12), make_name(Kind::kEvent, false, 12));
    EXPECT_EQ(static_cast<uint32_t>(make_name(Kind::kContext, false, 5)), 5u)
        << "what a frame's context field holds";
}

TEST(Names, TheCounterNeverSpillsIntoTheRest) {
    const uint64_t name = make_name(Kind::kEvent, false, UINT32_MAX);
    EXPECT_EQ(kind_of(name), Kind::kEvent);
    EXPECT_FALSE(named_by_worker(name));
}

TEST(Names, PseudoHandlesAndPointersAreNone) {
    for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{0x7fffffff}, UINT64_MAX,
                                 uint64_t{0xffff800000000000}})
        EXPECT_FALSE(is_name(value)) << value;
}

}  // namespace
}  // namespace bitfusion::wire
