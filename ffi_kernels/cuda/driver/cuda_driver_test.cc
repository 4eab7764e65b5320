// SPDX-License-Identifier: Apache-2.0
// Tests the error messages of driver failures.
#include "ffi_kernels/cuda/driver/cuda_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace jax_oneshot::cuda {
namespace {

using ::testing::HasSubstr;

CudaDriver DriverOfThisTest() {
  CudaDriver driver;
  driver.cuDriverGetVersion = [](int* version) {
    *version = 13020;
    return kSuccess;
  };
  driver.cuGetErrorName = [](Status, const char** name) {
    *name = "CUDA_ERROR_OUT_OF_MEMORY";
    return kSuccess;
  };
  driver.cuGetErrorString = [](Status, const char** text) {
    *text = "out of memory";
    return kSuccess;
  };
  driver.cuMemFree_v2 = [](DevicePointer pointer) -> Status { return pointer == 0 ? 2 : kSuccess; };
  return driver;
}

Result<void> Free(const CudaDriver& driver, DevicePointer pointer) {
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemFree_v2(pointer));
  return {};
}

TEST(CudaDriver, FailureNamesTheCallTheErrorAndTheDriversVersion) {
  const Result<void> freed = Free(DriverOfThisTest(), 0);
  ASSERT_FALSE(freed);
  EXPECT_EQ(freed.error(), "cuMemFree_v2 failed: CUDA_ERROR_OUT_OF_MEMORY (out of memory); CUDA driver 13.2");
}

TEST(CudaDriver, SuccessIsNoError) { EXPECT_TRUE(Free(DriverOfThisTest(), 1)); }

TEST(CudaDriver, FailureReadsWellWhereTheDriverCannotNameIt) {
  const Result<void> result = CudaDriver().Check("cuInit(0)", 100);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), "cuInit failed: error 100; CUDA driver unknown");
}

TEST(CudaDriver, IsEitherLoadedOrSaysWhyNot) {
  const Result<CudaDriver>& driver = LoadCudaDriver();
  if (driver) {
    EXPECT_NE(driver->VersionText(), "unknown");
  } else {
    EXPECT_THAT(driver.error(), ::testing::AnyOf(HasSubstr("the CUDA driver could not be loaded"),
                                                 HasSubstr("cuInit failed"), HasSubstr("update NVIDIA's driver")));
  }
}

}  // namespace
}  // namespace jax_oneshot::cuda
