// RandomProgram: a kernel body that nobody wrote, as PTX and as a function on the host.
//
// Eight 32-bit registers begin with the thread's inputs. Statements change them: straight lines, branches on
// data with and without an else, loops whose length and whose end depend on data, guarded instructions. The
// host runs the same statements one thread after the other; the device runs warps that diverge. One seed
// makes one program. Not thread-safe; a program is immutable once made.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace bitfusion::ptx {

using Registers = std::array<uint32_t, 8>;

class RandomProgram {
  public:
    explicit RandomProgram(uint64_t seed, unsigned depth = 3);

    std::string ptx() const;  // uses %r0 to %r7 (.b32), declares the rest itself
    void run(Registers& registers) const;

  private:
    enum class Kind : uint8_t { kOperation, kGuarded, kIf, kIfElse, kLoop };
    struct Statement {
        Kind kind = Kind::kOperation;
        unsigned operation = 0;  // of kOperation and kGuarded
        unsigned d = 0, a = 0, b = 0, c = 0;
        unsigned compare = 0;  // of a and b in all other kinds
        unsigned most = 0;     // turns of a loop
        std::vector<Statement> yes, no;
    };

    std::vector<Statement> block(unsigned depth);
    Statement statement(unsigned depth);
    unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }
    static void run(const std::vector<Statement>& statements, Registers& r);
    void print(const std::vector<Statement>& statements, std::string* out, unsigned* label) const;

    std::mt19937_64 random_;
    std::vector<Statement> body_;
};

}  // namespace bitfusion::ptx
