// SPDX-License-Identifier: Apache-2.0
// The driver calls that a device makes, recorded by a function table in place of libcuda.
#include "ffi_kernels/cuda/comm/cuda_device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace jax_oneshot::cuda {
namespace {

// The calls that the driver below received, and its answers. Global, because the table holds plain functions.
struct FakeDriverState {
  Context current = nullptr;
  int switches = 0;
  int can_access_peer = 1;
  Status enable_peer = 0, alloc = 0, query = 0;
  Context context_of_alloc = nullptr;
};
FakeDriverState g_fake;

Context ContextOf(Device device) { return reinterpret_cast<Context>(static_cast<uintptr_t>(device) + 100); }

CudaDriver FakeDriver() {
  g_fake = FakeDriverState();
  CudaDriver driver;
  driver.cuDeviceGet = [](Device* device, int ordinal) { return *device = ordinal, kSuccess; };
  driver.cuDevicePrimaryCtxRetain = [](Context* context, Device device) {
    return *context = ContextOf(device), kSuccess;
  };
  driver.cuCtxGetCurrent = [](Context* context) { return *context = g_fake.current, kSuccess; };
  driver.cuCtxSetCurrent = [](Context context) { return g_fake.current = context, ++g_fake.switches, kSuccess; };
  driver.cuDeviceGetPCIBusId = [](char* text, int, Device) { return std::strcpy(text, "0000:1b:00.0"), kSuccess; };
  driver.cuDeviceGetAttribute = [](int* value, int attribute, Device) {
    *value = attribute == kComputeCapabilityMajor ? 9 : attribute == kComputeCapabilityMinor ? 0 : 132;
    return kSuccess;
  };
  driver.cuStreamCreate = [](Stream* stream, unsigned) { return *stream = reinterpret_cast<Stream>(7), kSuccess; };
  driver.cuStreamQuery = [](Stream) { return g_fake.query; };
  driver.cuMemAlloc_v2 = [](DevicePointer* address, size_t) {
    g_fake.context_of_alloc = g_fake.current;
    return *address = 4096, g_fake.alloc;
  };
  driver.cuDeviceCanAccessPeer = [](int* can, Device, Device) { return *can = g_fake.can_access_peer, kSuccess; };
  driver.cuCtxEnablePeerAccess = [](Context, unsigned) { return g_fake.enable_peer; };
  return driver;
}

TEST(CudaDevice, WorksInThePrimaryContextAndLeavesTheThreadsOwnBehind) {
  const CudaDriver driver = FakeDriver();
  const auto device = *CudaDevice::Create(driver, 3);
  EXPECT_EQ(*device->Allocate(16), 4096u);
  EXPECT_EQ(g_fake.context_of_alloc, ContextOf(3));
  EXPECT_EQ(g_fake.current, nullptr);
}

TEST(CudaDevice, IsKnownByItsPlaceAndItsKind) {
  const CudaDriver driver = FakeDriver();
  const auto device = *CudaDevice::Create(driver, 3);
  EXPECT_EQ(device->Identify()->bus_id, "0000:1b:00.0");
  EXPECT_EQ(device->Identify()->kind, "sm_90, 132 multiprocessors");
}

TEST(CudaDevice, DoesNotSwitchToTheContextThatIsCurrent) {
  const CudaDriver driver = FakeDriver();
  const auto device = *CudaDevice::Create(driver, 3);
  g_fake.current = ContextOf(3);
  g_fake.switches = 0;
  EXPECT_TRUE(device->Idle().has_value());
  EXPECT_EQ(g_fake.switches, 0);
}

TEST(CudaDevice, TellsHowToLeaveMoreMemory) {
  const CudaDriver driver = FakeDriver();
  const auto device = *CudaDevice::Create(driver, 0);
  g_fake.alloc = 2;
  EXPECT_EQ(device->Allocate(16).error(),
            "cuMemAlloc failed: error 2; CUDA driver unknown. XLA takes most of the memory in advance; "
            "XLA_PYTHON_CLIENT_MEM_FRACTION=0.7 leaves more");
}

TEST(CudaDevice, KnowsABusyStreamFromAFailedOne) {
  const CudaDriver driver = FakeDriver();
  const auto device = *CudaDevice::Create(driver, 0);
  EXPECT_TRUE(*device->Idle());
  g_fake.query = kErrorNotReady;
  EXPECT_FALSE(*device->Idle());
  g_fake.query = 719;
  EXPECT_EQ(device->Idle().error(), "cuStreamQuery failed: error 719; CUDA driver unknown");
}

TEST(CudaDevice, AcceptsPeerAccessThatSomebodyElseEnabled) {
  const CudaDriver driver = FakeDriver();
  const auto device = *CudaDevice::Create(driver, 0);
  EXPECT_TRUE(device->EnablePeer(1).has_value());
  g_fake.enable_peer = 704;
  EXPECT_TRUE(device->EnablePeer(1).has_value());
  g_fake.enable_peer = 205;
  EXPECT_EQ(device->EnablePeer(1).error(), "cuCtxEnablePeerAccess failed: error 205; CUDA driver unknown");
}

TEST(CudaDevice, RefusesAPeerThatTheDriverKnowsNoPathTo) {
  const CudaDriver driver = FakeDriver();
  const auto device = *CudaDevice::Create(driver, 0);
  g_fake.can_access_peer = 0;
  EXPECT_EQ(device->EnablePeer(1).error(), "the driver knows no direct path from device 0");
}

}  // namespace
}  // namespace jax_oneshot::cuda
