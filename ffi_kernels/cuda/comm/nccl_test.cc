// SPDX-License-Identifier: Apache-2.0
// Which loaded library is taken for NCCL, and the errors if there is none or it is too old.
#include "ffi_kernels/cuda/comm/nccl.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

namespace jax_oneshot::cuda {
namespace {

TEST(Nccl, IsNotFoundInAProcessThatHasNone) { EXPECT_TRUE(LoadedNccls().empty()); }

TEST(Nccl, SaysThatNoneIsLoadedAndHowToGoOnWithoutIt) {
  const Result<NcclApi> api = BindNccl({});
  ASSERT_FALSE(api.has_value());
  EXPECT_NE(api.error().find("no libnccl loaded"), std::string::npos);
  EXPECT_NE(api.error().find("JAX_ONESHOT=0"), std::string::npos);
}

TEST(Nccl, DoesNotLoadALibraryThatIsNotLoadedYet) {
  const Result<NcclApi> api = BindNccl({"/nowhere/libnccl.so.2"});
  ASSERT_FALSE(api.has_value());
  EXPECT_NE(api.error().find("dlopen(/nowhere/libnccl.so.2, RTLD_NOLOAD)"), std::string::npos) << api.error();
}

TEST(Nccl, NamesEveryFunctionThatALibraryLacks) {
  const Result<NcclApi> api = BindNccl({"libc.so.6"});
  ASSERT_FALSE(api.has_value());
  EXPECT_NE(api.error().find("libc.so.6 has no ncclGetVersion, ncclGetErrorString, ncclCommUserRank, ncclCommCount, "
                             "ncclCommGetAsyncError, ncclAllGather; expected NCCL 2.4 or newer"),
            std::string::npos)
      << api.error();
}

TEST(Nccl, VersionsReadAsTheirReleasesAreNamed) {
  EXPECT_EQ(NcclVersionText(23007), "2.30.7");
  EXPECT_EQ(NcclVersionText(2708), "2.7.8");
  EXPECT_EQ(NcclVersionText(22809), "2.28.9");
}

}  // namespace
}  // namespace jax_oneshot::cuda
