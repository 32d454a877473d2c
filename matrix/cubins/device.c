/* The device that a module is asked about, in place of a GPU: releases from 0.6.12 on ask which one is there
   before they choose among their kernels. Compiled with -DMAJOR=10 -DMINOR=0 and linked into the module. */

enum { SUCCESS = 0, INVALID_VALUE = 1 };
enum { ATTRIBUTE_MAJOR = 75, ATTRIBUTE_MINOR = 76 };

int cudaGetDevice(int* device) {
  *device = 0;
  return SUCCESS;
}

int cudaDeviceGetAttribute(int* value, int attribute, int device) {
  (void)device;
  if (attribute != ATTRIBUTE_MAJOR && attribute != ATTRIBUTE_MINOR) return INVALID_VALUE;
  *value = attribute == ATTRIBUTE_MAJOR ? MAJOR : MINOR;
  return SUCCESS;
}
