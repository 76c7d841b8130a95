include $(sort $(wildcard $(BR2_EXTERNAL_WIFIPROVD_PATH)/package/*/*.mk))
