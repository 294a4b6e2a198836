{{- $image := include "standin.image" (dict "image" .Values.image "appVersion" .Chart.AppVersion) }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: cilium-config
  namespace: {{ .Release.Namespace }}
data:
  debug: {{ .Values.debug.enabled | quote }}
  version: {{ .Chart.AppVersion | quote }}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: cilium
  namespace: {{ .Release.Namespace }}
  labels:
    k8s-app: cilium
spec:
  selector:
    matchLabels:
      k8s-app: cilium
  {{- with .Values.updateStrategy }}
  updateStrategy: {{ toJson . }}
  {{- end }}
  template:
    metadata:
      labels:
        k8s-app: cilium
    spec:
      automountServiceAccountToken: false
      hostNetwork: true
      nodeSelector: {{ toJson .Values.nodeSelector }}
      priorityClassName: system-node-critical
      terminationGracePeriodSeconds: 1
      tolerations:
        - operator: Exists
      initContainers:
        - name: config
          image: {{ $image }}
      containers:
        - name: cilium-agent
          image: {{ $image }}
