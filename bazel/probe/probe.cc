// SPDX-License-Identifier: Apache-2.0
// See BUILD.
int main() { return 0; }
