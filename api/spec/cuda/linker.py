"""The linker."""

fn("""CUresult cuLinkAddData(CUlinkState state, CUjitInputType type, void *data, size_t size, const char
   *name, unsigned int numOptions, CUjit_option *options, void **optionValues)""",
   later("the linker"), since=5050, old=True)
fn("""CUresult cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void *data, size_t size, const char
   *name, unsigned int numOptions, CUjit_option *options, void **optionValues)""",
   later("the linker"), since=6050)
fn("""CUresult cuLinkAddFile(CUlinkState state, CUjitInputType type, const char *path, unsigned int
   numOptions, CUjit_option *options, void **optionValues)""",
   later("the linker"), since=5050, old=True)
fn("""CUresult cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path, unsigned int
   numOptions, CUjit_option *options, void **optionValues)""",
   later("the linker"), since=6050)
fn("CUresult cuLinkComplete(CUlinkState state, void **cubinOut, size_t *sizeOut)", later("the linker"), since=5050)
fn("""CUresult cuLinkCreate(unsigned int numOptions, CUjit_option *options, void **optionValues, CUlinkState
   *stateOut)""",
   later("the linker"), since=5050, old=True)
fn("""CUresult cuLinkCreate_v2(unsigned int numOptions, CUjit_option *options, void **optionValues,
   CUlinkState *stateOut)""",
   later("the linker"), since=6050)
fn("CUresult cuLinkDestroy(CUlinkState state)", later("the linker"), since=5050)
