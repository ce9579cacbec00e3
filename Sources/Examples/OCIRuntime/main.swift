print("bulkhead-oci")
