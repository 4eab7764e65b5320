// SPDX-License-Identifier: Apache-2.0
// EnablePeerAccess: every answer that the driver may give. The callers' messages are tested in comm and bench.
#include "ffi_kernels/cuda/driver/peer_access.h"

#include <gtest/gtest.h>

namespace jax_oneshot::cuda {
namespace {

int g_can = 1;
Status g_enabled = kSuccess;
Context g_peer = nullptr;

CudaDriver FakeDriver(int can, Status enabled) {
  g_can = can;
  g_enabled = enabled;
  g_peer = nullptr;
  CudaDriver driver;
  driver.cuDeviceCanAccessPeer = [](int* can_access, Device, Device) { return *can_access = g_can, kSuccess; };
  driver.cuDevicePrimaryCtxRetain = [](Context* context, Device device) {
    return *context = reinterpret_cast<Context>(intptr_t{device} + 1), kSuccess;
  };
  driver.cuCtxEnablePeerAccess = [](Context peer, unsigned) { return g_peer = peer, g_enabled; };
  driver.cuGetErrorName = [](Status, const char** name) { return *name = "CUDA_ERROR_X", kSuccess; };
  driver.cuGetErrorString = driver.cuGetErrorName;
  driver.cuDriverGetVersion = [](int* version) { return *version = 13000, kSuccess; };
  return driver;
}

TEST(EnablePeerAccess, EnablesItForThePeersContext) {
  EXPECT_TRUE(EnablePeerAccess(FakeDriver(1, kSuccess), 0, 3).value());
  EXPECT_EQ(g_peer, reinterpret_cast<Context>(intptr_t{4}));
}

TEST(EnablePeerAccess, IsContentWithWhatSomebodyElseEnabled) {
  EXPECT_TRUE(EnablePeerAccess(FakeDriver(1, 704), 0, 1).value());
}

TEST(EnablePeerAccess, TouchesNothingWhereThereIsNoPath) {
  EXPECT_FALSE(EnablePeerAccess(FakeDriver(0, kSuccess), 0, 1).value());
  EXPECT_EQ(g_peer, nullptr);
}

TEST(EnablePeerAccess, SaysWhichCallFailed) {
  const Result<bool> enabled = EnablePeerAccess(FakeDriver(1, 711), 0, 1);
  ASSERT_FALSE(enabled);
  EXPECT_NE(enabled.error().find("cuCtxEnablePeerAccess failed: CUDA_ERROR_X"), std::string::npos) << enabled.error();
}

}  // namespace
}  // namespace jax_oneshot::cuda
