#include "link/link.h"

#include <cerrno>

namespace bitfusion::link {

Status Link::give_file(int descriptor) {
    (void)descriptor;
    return fail("files cannot be given to another machine", EOPNOTSUPP);
}

Result<Descriptor> Link::take_file() { return fail("another machine gives no files", EOPNOTSUPP); }

}  // namespace bitfusion::link
